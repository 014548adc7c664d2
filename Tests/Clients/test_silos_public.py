"""What the public may do with control: everything that a cell can, handed on; and what it is told when that fails."""

import base64
import json
import re
import signal
import socket
import sys
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest

from chromium import Chromium
from clients import CallFailed
from gateway import CHECKOUT
from silos import CELLS, SCM, Silos, wait_until
from test_console import enter

sys.path.insert(0, str(CHECKOUT / "examples/signed-calls"))
import signing  # noqa: E402

PAGE = "https://app.example"


@pytest.fixture(scope="module")
def silos(tmp_path_factory):
    silos = Silos(tmp_path_factory.mktemp("silos"))
    silos.control.options = ["--cors-origin", PAGE]
    with silos:
        yield silos


def web(body: bytes = b"") -> bytes:
    return b"\0" + len(body).to_bytes(4, "big") + body


def names(answer: bytes) -> list[str]:
    return [row["name"] for row in json.loads(answer).get("repositories", [])]


def test_rest_goes_to_the_cell(silos, organizations):
    for cell, (_, key) in organizations.items():
        headers = {"x-api-key": key, "content-type": "application/json"}
        status, _, answer = silos.control.post("/v1/ListRepositories", b"{}", headers)
        assert (status, names(answer)) == (200, [f"in-{cell}"])
        number = json.loads(answer)["repositories"][0]["id"]
        status, _, answer = silos.control.post("/v1/repositories?page_size=5", b"", {"x-api-key": key}, method="GET")
        assert (status, names(answer)) == (200, [f"in-{cell}"])
        status, _, answer = silos.control.post(f"/v1/repositories/{number}", b"", {"x-api-key": key}, method="GET")
        assert status == 200 and f"in-{cell}" in answer.decode()
        status, fields, answer = silos.control.post("/v1/repositories/999999", b"", {"x-api-key": key}, method="GET")
        assert status == 404 and fields["content-type"] == "application/problem+json"
    status, fields, answer = silos.control.post("/v1/repositories", b"", {}, method="GET")
    assert status == 401 and fields["content-type"] == "application/problem+json"
    assert json.loads(answer)["reason"] == "UNAUTHENTICATED"
    status, _, answer = silos.control.post("/v1/openapi.json", b"", {}, method="GET")
    assert status == 200 and "/v1/ListRepositories" in json.loads(answer)["paths"]


def test_connect_get_goes_to_the_cell(silos, organizations):
    for cell, (_, key) in organizations.items():
        query = urllib.parse.urlencode({"connect": "v1", "encoding": "json", "message": "{}"})
        status, _, answer = silos.control.post(f"{SCM}ListRepositories?{query}", b"", {"x-api-key": key}, method="GET")
        assert (status, names(answer)) == (200, [f"in-{cell}"])


def test_signed_calls_go_to_the_cell_and_are_checked_there(silos, organizations):
    for cell, (organization, _) in organizations.items():
        made = silos.control.run("key", "add", "--organization", str(organization), "--signing", "--json")
        row = json.loads(made.stdout)
        path, kind = SCM + "ListRepositories", "application/json"

        def send(silo, body: bytes, signed: bytes):
            header = signing.signature(row["id"], row["key"], "POST", path, kind, signed)
            return silo.post(path, body, {"content-type": kind, "x-signature": header}), header

        (status, _, answer), header = send(silos.control, b"{}", b"{}")
        assert (status, names(answer)) == (200, [f"in-{cell}"])
        assert silos.control.post(path, b"{}", {"content-type": kind, "x-signature": header})[0] == 401, "a replay"
        assert send(silos.control, b'{"pageSize":1}', b"{}")[0][0] == 401, "another body"
        other = "eu1" if cell == "us1" else "us1"
        assert send(silos.all[other], b"{}", b"{}")[0][0] == 401, "another cell does not know the key"
        silos.control.run("key", "revoke", str(row["id"]))
        wait_until(lambda: send(silos.control, b"{}", b"{}")[0][0] == 401)
    for wrong in ["", "v1", "v1 kid=1,ts=1,nonce=AAAAAAAAAAAAAAAAAAAAAA,sig=AA"]:
        status, _, _ = silos.control.post(path, b"{}", {"content-type": kind, "x-signature": wrong})
        assert status == 401


def test_a_page_calls_through_control(silos, organizations):
    """gRPC-Web from an allowed origin, its preflight, and refusals that the page can read."""
    path, key = SCM + "ListRepositories", organizations["us1"][1]
    asked = {"origin": PAGE, "access-control-request-method": "POST", "access-control-request-headers": "x-api-key"}
    status, fields, _ = silos.control.post(path, b"", asked, method="OPTIONS")
    assert status == 204 and fields["access-control-allow-origin"] == PAGE
    assert {"x-api-key", "x-scm-cache"} <= set(fields["access-control-allow-headers"].split(", "))
    headers = {"origin": PAGE, "content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
    status, fields, answer = silos.control.post(path, web(), {**headers, "x-api-key": key})
    assert status == 200 and b"in-us1" in answer and re.search(rb"grpc-status: ?0", answer)
    assert fields["access-control-allow-origin"] == PAGE
    # Exactly once: a browser refuses two.
    connection = silos.control.connect()
    connection.request("POST", path, web(), {**headers, "x-api-key": key})
    assert connection.getresponse().headers.get_all("access-control-allow-origin") == [PAGE]
    connection.close()
    for wrong in [{}, {"x-api-key": "scm_" + "x" * 43}]:
        status, fields, _ = silos.control.post(path, web(), {**headers, **wrong})
        assert (status, fields["grpc-status"], fields["access-control-allow-origin"]) == (200, "16", PAGE)
        assert "grpc-status" in fields["access-control-expose-headers"]
    stranger = {**headers, "origin": "https://evil.example", "x-api-key": key}
    assert "access-control-allow-origin" not in silos.control.post(path, web(), stranger)[1]


def test_control_has_the_console(silos, organizations):
    status, fields, answer = silos.control.post("/console/", b"", {}, method="GET")
    assert status == 200 and fields["content-type"].startswith("text/html") and b"<script" in answer
    status, _, answer = silos.control.post("/console/contract.binpb", b"", {}, method="GET")
    assert status == 200 and b"ScmService" in answer
    # What its pages call: gRPC-Web of the same origin.
    headers = {"content-type": "application/grpc-web+proto", "x-api-key": organizations["eu1"][1]}
    status, _, answer = silos.control.post(SCM + "ListRepositories", web(), headers)
    assert status == 200 and b"in-eu1" in answer


def test_every_client_calls_through_control(silos, organizations, scm, client_kind):
    """One answer, a stream of them, and an error of the cell's, in every protocol."""
    for cell in CELLS:
        client = client_kind(silos.control.url, organizations[cell][1], scm)
        try:
            answer = client.unary("ListRepositories", scm.ListRepositoriesRequest())
            assert [row.name for row in answer.repositories] == [f"in-{cell}"]
            number = answer.repositories[0].id
            synced = list(client.stream("SyncRepositories", scm.SyncRepositoriesRequest(repository_ids=[number])))
            assert synced
            with pytest.raises(CallFailed) as failed:
                client.unary("GetRepository", scm.GetRepositoryRequest(repository_id=999_999))
            assert failed.value.code.value[0] == 5
        finally:
            client.close()


def test_control_s_console_in_a_browser(silos, organizations):
    browser = Chromium()
    try:
        enter(browser, SimpleNamespace(url=silos.control.url, key=organizations["us1"][1]))
        assert "in-us1" in browser.run("document.querySelector('.rows').textContent")
        assert browser.log == []
    finally:
        browser.close()


def test_a_cell_that_is_down_is_told_in_the_words_of_each_protocol(silos, organizations):
    key, control = organizations["eu1"][1], silos.control
    silos.all["eu1"].kill()
    try:
        reasons = {"CELL_UNREACHABLE", "CELL_PAUSED"}
        json_call = {"content-type": "application/json", "x-api-key": key}
        status, fields, answer = control.post(SCM + "ListRepositories", b"{}", json_call)
        assert status == 503 and fields["retry-after"] == "1"
        detail = json.loads(answer)["details"][0]
        assert json.loads(answer)["code"] == "unavailable" and detail["type"] == "google.rpc.ErrorInfo"
        decoded = base64.b64decode(detail["value"] + "==").decode()
        assert any(reason in decoded for reason in reasons) and "silo" in decoded
        status, fields, answer = control.post("/v1/repositories", b"", {"x-api-key": key}, method="GET")
        problem = json.loads(answer)
        assert status == problem["status"] == 503 and fields["content-type"] == "application/problem+json"
        assert problem["reason"] in reasons and problem["code"] == "UNAVAILABLE"
        page = {"content-type": "application/grpc-web+proto", "x-api-key": key, "origin": PAGE}
        status, fields, _ = control.post(SCM + "ListRepositories", web(), page)
        assert (status, fields["grpc-status"], fields["access-control-allow-origin"]) == (200, "14", PAGE)
        details = base64.b64decode(fields["grpc-status-details-bin"] + "==").decode(errors="replace")
        assert any(reason in details for reason in reasons)
        assert "127.0.0.1" not in details + fields["grpc-message"] + json.dumps(problem)
        # The other cell's organizations notice nothing.
        assert control.repositories(organizations["us1"][1])[0] == 200
        metrics = control.metrics()
        assert re.search(r'silo_proxied_requests_total\{cell="eu1",outcome="CELL_UNREACHABLE"\} \d', metrics)
        assert re.search(r'silo_proxied_requests_total\{cell="us1",outcome="200"\} \d', metrics)
    finally:
        silos.all["eu1"].start()
    wait_until(lambda: control.repositories(key)[0] == 200)


def test_callers_who_leave_do_not_end_the_calls_of_others(silos, organizations):
    """Control's connection to the cell is everybody's: a thousand resets on it are callers, not an attack."""
    key = organizations["us1"][1]
    head = f"POST {SCM}ListRepositories HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\ncontent-type: application/json\r\n"
    half = [head + "content-length: 100\r\n\r\n{", head + "transfer-encoding: chunked\r\n\r\n1\r\n{\r\nzz\r\n"]

    def outcomes() -> dict[str, int]:
        found = re.findall(r'silo_proxied_requests_total\{cell="us1",outcome="(\w+)"\} (\d+)', silos.control.metrics())
        return {outcome: int(count) for outcome, count in found}

    def leave(number: int):
        with socket.create_connection(("127.0.0.1", silos.control.port), timeout=30) as connection:
            connection.sendall(half[number % 2].encode())
            # Until it has arrived at the cell, more often than not.
            time.sleep(0.01)

    before = outcomes()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(leave, range(1000)))
    assert silos.control.repositories(key)[0] == 200
    gone = wait_until(lambda: (now := outcomes().get("CLIENT_GONE", 0) - before.get("CLIENT_GONE", 0)) > 200 and now)
    broken = [name for name in ["CELL_ANSWER_BROKEN", "CELL_PAUSED"] if outcomes().get(name, 0) > before.get(name, 0)]
    assert broken == [], f"beside {gone} who left"


def test_what_control_lets_in_fits_into_the_cell(silos, organizations):
    """Control adds fields of its own: a head just within its limit is not the cell's fault."""
    statuses = []
    for size in range(7400, 8200, 40):
        headers = {"content-type": "application/json", "x-api-key": organizations["us1"][1], "x-filler": "x" * size}
        statuses.append(silos.control.post(SCM + "ListRepositories", b"{}", headers)[0])
    assert set(statuses) == {200, 431}, statuses


def test_an_organization_has_its_share_of_a_cell_and_no_more(silos, organizations):
    def half() -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", silos.control.port), timeout=30)
        head = f"POST {SCM}ListRepositories HTTP/1.1\r\nhost: x\r\nx-api-key: {organizations['us1'][1]}\r\n"
        connection.sendall((head + "content-type: application/json\r\ncontent-length: 9\r\n\r\n{").encode())
        return connection

    silos.control.kill(signal.SIGTERM)
    silos.control.options += ["--limit", "maximumProxiedExchangesPerOrganization=3"]
    silos.control.start()
    held = []
    try:
        def refused():
            # Three of them wait for the rest of their bodies, the others are refused as this one.
            held.append(half())
            status, _, answer = silos.control.post(
                SCM + "ListRepositories", b"{}",
                {"content-type": "application/json", "x-api-key": organizations["us1"][1]})
            return status == 429 and answer

        assert b"maximumProxiedExchangesPerOrganization = 3" in wait_until(refused)
        assert silos.control.repositories(organizations["eu1"][1])[0] == 200
    finally:
        for connection in held:
            connection.close()
        silos.control.kill(signal.SIGTERM)
        silos.control.options = silos.control.options[:-2]
        silos.control.start()
    assert silos.control.repositories(organizations["us1"][1])[0] == 200


def test_a_cell_that_does_not_answer_in_time_is_504(silos, organizations):
    key, eu1 = organizations["eu1"][1], silos.all["eu1"]
    headers = {"content-type": "application/json", "x-api-key": key, "connect-timeout-ms": "1500"}

    def ask_while_it_stands_still() -> tuple[int, str]:
        wait_until(lambda: silos.control.repositories(key)[0] == 200)
        try:
            eu1.pause()
            status, _, answer = silos.control.post(SCM + "ListRepositories", b"{}", headers)
            return status, json.loads(answer)["code"]
        finally:
            eu1.process.send_signal(signal.SIGCONT)

    # Without a connection from before, there is none to be had: that is 503.
    seen = [ask_while_it_stands_still()]
    while seen[-1] == (503, "unavailable") and len(seen) < 5:
        seen.append(ask_while_it_stands_still())
    assert seen[-1] == (504, "deadline_exceeded"), seen
    wait_until(lambda: silos.control.repositories(key)[0] == 200)
