"""Running silos: TLS and identities, the old signature, a changed configuration, one server for each data folder."""

import hashlib
import hmac
import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import time

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from silos import CELLS, MAPPING, SCM, Silo, Silos, free_port, wait_until
from test_silos import names, text_field

IDENTITIES = [
    {"silo": "control", "name": "control.internal"},
    {"silo": "cell:us1", "name": "us1.internal"},
    {"silo": "cell:eu1", "name": "eu1.internal"},
]


@pytest.fixture(scope="module")
def silos(tmp_path_factory):
    with Silos(tmp_path_factory.mktemp("silos"), tls=True, identities=IDENTITIES) as silos:
        yield silos


def ask(silos, slug: str = "in-us1", certificate: str | None = "us1", **sign) -> tuple[int, bytes]:
    """OrganizationMappingService.GetBySlug, signed as us1."""
    body = text_field(1, slug)
    headers = silos.sign("us1-control", silos.control, MAPPING + "GetBySlug", body, {})
    status, _, answer = silos.control.post(MAPPING + "GetBySlug", body, headers, certificate=certificate)
    return status, answer


def test_silos_talk_over_tls(silos, organizations):
    for silo in silos.all.values():
        done = silo.run("silo", "check", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    for cell, (_, key) in organizations.items():
        status, answer = silos.control.repositories(key)
        assert (status, names(answer)) == (200, [f"in-{cell}"])
        status, _, answer = silos.all[cell].post(
            SCM + "ListIntegrations", b"{}", {"content-type": "application/json", "x-api-key": key})
        assert (status, json.loads(answer)) == (200, {}), "from the cell to control"


def test_a_signature_needs_the_certificate_of_its_silo(silos, organizations):
    assert ask(silos)[0] == 200
    for wrong in [None, "eu1", "control", "stranger"]:
        status, answer = ask(silos, certificate=wrong)
        assert status == 403 and b"must present a client certificate for us1.internal" in answer
    # The public needs none.
    assert silos.control.repositories(organizations["us1"][1])[0] == 200
    assert 'silo_signatures_refused_total{reason="TLS_IDENTITY"}' in silos.control.metrics()


def test_a_cell_that_is_not_who_it_says_is_told_so(silos, organizations):
    """eu1 with somebody else's certificate: control refuses it, and eu1's check says why."""
    eu1 = silos.all["eu1"]
    own = {kind: (silos.folder / f"eu1.{kind}").read_bytes() for kind in ["pem", "key"]}
    try:
        for kind in own:
            (silos.folder / f"eu1.{kind}").write_bytes((silos.folder / f"stranger.{kind}").read_bytes())
        done = eu1.run("silo", "check", check=False)
        assert done.returncode == 1 and "client certificate for eu1.internal" in done.stdout
    finally:
        for kind, data in own.items():
            (silos.folder / f"eu1.{kind}").write_bytes(data)
    assert eu1.run("silo", "check", check=False).returncode == 0


def test_attempts_are_counted(silos, organizations):
    metrics = silos.all["us1"].metrics()
    found = re.search(
        r'silo_attempts_total\{method="organization_mapping.ListChanges",to="control",outcome="answered"\} (\d+)',
        metrics)
    assert found and int(found[1]) > 0
    assert 'silo_attempt_duration_seconds_bucket{method="api_key_feed.ListChanges",to="control",le="0.001"}' in metrics


def test_control_lists_what_it_hands_on(silos):
    service = SCM.strip("/")
    for silo in silos.all.values():
        with grpc.insecure_channel(f"127.0.0.1:{silo.admin_port}") as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            assert service in database.get_services()
            methods = DescriptorPool(database).FindServiceByName(service).methods_by_name
            assert methods["ListRepositories"].input_type.name == "ListRepositoriesRequest"
            health = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(service=service))
            assert health.status == health_pb2.HealthCheckResponse.SERVING


def test_control_asks_every_cell(silos, organizations):
    done = silos.control.run("silo", "cells", "--json")
    rows = {row["cell"]: row for row in map(json.loads, done.stdout.splitlines())}
    assert {cell: (row["organizations"], row["repositories"]) for cell, row in rows.items()} == {
        "us1": (1, 1), "eu1": (1, 1)}
    organization = str(organizations["eu1"][0])
    assert "in-eu1" in silos.control.run("repo", "list", "--organization", organization).stdout
    done = silos.control.run("org", "remove", organization, check=False)
    assert done.returncode != 0 and "owns repositories" in done.stderr
    silos.all["eu1"].kill()
    try:
        done = silos.control.run("silo", "cells", "--timeout", "5", check=False)
        assert done.returncode == 1 and "1 of 2 cells did not answer: eu1" in done.stderr
        assert "us1" in done.stdout and "does not answer" in done.stdout
    finally:
        silos.all["eu1"].start()


def test_an_organization_is_removed_everywhere(silos):
    number = int(silos.control.run("org", "add", "short-lived", "--in", "us1").stdout)
    silos.control.run("org", "remove", str(number))
    status, answer = ask(silos, "short-lived")
    assert (status, answer) == (200, b""), "no such organization any more"
    assert "short-lived" not in silos.control.run("org", "list").stdout
    assert silos.control.run("org", "remove", str(number), check=False).returncode != 0
    # The name is free again, in the cell too, which takes what comes after it.
    again = silos.control.run("org", "add", "short-lived", "--in", "us1").stdout.strip()
    wait_until(lambda: f"{again} " in silos.all["us1"].run("org", "list").stdout)
    silos.control.run("org", "remove", again)
    assert silos.all["us1"].run("org", "remove", str(number), check=False).returncode != 0


def test_a_new_key_is_known_at_once_and_a_revoked_one_ends(silos, organizations):
    for cell, (organization, _) in organizations.items():
        made = silos.control.run("key", "add", "--organization", str(organization), "--json")
        row = json.loads(made.stdout)
        # Straight to the cell, which has not pulled since, more often than not.
        assert silos.all[cell].repositories(row["key"])[0] == 200
        # Control knows whose the key is, and would hand a call on.
        assert silos.control.repositories(row["key"])[0] == 200
        silos.control.run("key", "revoke", str(row["id"]))
        # What another process has changed counts for every call that comes 50 ms later.
        time.sleep(0.05)
        assert silos.control.repositories(row["key"])[0] == 401
        wait_until(lambda: silos.all[cell].repositories(row["key"])[0] == 401)


def test_while_control_is_down_unknown_keys_are_refused_and_known_ones_go_on(silos, organizations):
    cell, key = silos.all["us1"], organizations["us1"][1]
    assert cell.repositories(key)[0] == 200
    silos.control.kill()
    try:
        assert cell.repositories("scm_" + secrets.token_urlsafe(32))[0] == 401
        assert cell.repositories(key)[0] == 200
    finally:
        silos.control.start()


def test_control_is_brought_back_from_a_backup(silos, organizations):
    """Cells follow it: what it has lost ends, what it makes from then on arrives."""
    cell, control = silos.all["us1"], silos.control
    organization, key = organizations["us1"]
    file, backup = control.folder / "scm-gateway.sqlite", silos.folder / "backup.sqlite"
    with sqlite3.connect(file) as source, sqlite3.connect(backup) as target:
        source.backup(target)
    lost = control.run("key", "add", "--organization", str(organization)).stdout.strip()
    wait_until(lambda: cell.repositories(lost)[0] == 200)
    control.kill(signal.SIGTERM)
    for other in ["-wal", "-shm"]:
        file.with_name(file.name + other).unlink(missing_ok=True)
    shutil.copyfile(backup, file)
    # One change was lost, one is made: their numbers are the same.
    made = control.run("key", "add", "--organization", str(organization)).stdout.strip()
    control.start()
    wait_until(lambda: cell.repositories(lost)[0] == 401)
    for good in [made, key]:
        assert cell.repositories(good)[0] == 200


def test_one_server_for_each_data_folder(silos):
    second = Silo("us1", silos.folder, silos.config, silos.folder)
    done = second.run("serve", "--port", "0", check=False)
    assert done.returncode != 0
    assert f"process {silos.all['us1'].process.pid} (scm-gateway serve, cell:us1, since " in done.stderr


def test_rows_are_changed_where_they_live(silos, organizations):
    organization = str(organizations["us1"][0])
    done = silos.all["us1"].run("key", "add", "--organization", organization, check=False)
    assert done.returncode != 0 and "keys are made and changed in control" in done.stderr
    folder = str(silos.folder / "in-us1.git")
    done = silos.control.run("repo", "add", folder, "--organization", organization, check=False)
    assert done.returncode != 0 and "repositories live in cells" in done.stderr


def test_a_silo_without_keys_does_not_start(silos, tmp_path):
    config = tmp_path / "silos.json"
    config.write_text(json.dumps(json.loads(silos.config.read_text()) | {"keys": []}))
    silo = Silo("eu1", tmp_path, config, silos.folder)
    done = silo.run("serve", "--port", "0", check=False)
    assert done.returncode != 0
    assert "there is no key whose audience is cell:eu1: nobody could call this silo" in done.stderr
    done = silo.run("silo", "check", check=False)
    assert done.returncode == 1 and "there is no key whose audience is cell:eu1" in done.stdout


WRONG = [
    (lambda config: config.pop("controlAddress"), "controlAddress is missing; it is a base URL such as https://"),
    (lambda config: config["cells"][1].update(address="eu1:8443"), 'cells: eu1: address: "eu1:8443" is not a base URL'),
    (lambda config: config["cells"][1].pop("address"), "cells: eu1: address is missing"),
    (lambda config: config["cells"][1].update(address=config["cells"][0]["address"]), "each silo has its own"),
    (lambda config: config["keys"][0].update(secretFile="none"), "none cannot be read: No such file or directory"),
    (lambda config: config["keys"][0].update(secretFile=config["keys"][2]["secretFile"]), "have the same secret"),
    (lambda config: config.update(regions=[{"name": "ap1"}]), "cells and regions, its old name, are both there"),
    (lambda config: config.update(identities=[{"silo": "us1", "name": "x"}]), 'identities: silo is "control" or'),
]


@pytest.mark.parametrize("change,text", WRONG, ids=[text for _, text in WRONG])
def test_a_wrong_configuration_is_told_before_anything_starts(silos, tmp_path, change, text):
    config = json.loads(silos.config.read_text())
    for key in config["keys"]:
        key["secretFile"] = str(silos.folder / key["secretFile"])
    change(config)
    file = tmp_path / "silos.json"
    file.write_text(json.dumps(config))
    control = Silo("control", tmp_path, file, silos.folder)
    done = control.run("silo", "check", "--offline", check=False)
    assert done.returncode == 1 and "WRONG" in done.stdout and text in done.stdout, done.stdout + done.stderr
    done = control.run("serve", "--port", "0", check=False)
    assert done.returncode != 0 and text in done.stderr, done.stdout + done.stderr


def test_what_has_no_effect_is_told_too(silos):
    more = {
        "switches": [{"method": "organization_mapping.Gett", "disabled": True}],
        "identities": [*IDENTITIES, {"silo": "cell:mars", "name": "mars.internal"}],
    }
    silos.write_config(**more)
    try:
        done = silos.control.run("silo", "check", "--offline", check=False)
        silos.control.reload()
    finally:
        silos.write_config()
        silos.control.reload()
    assert done.returncode == 1
    for text in ['switches: there is no "organization_mapping.Gett"', "identities: there is no cell:mars"]:
        assert f"WRONG {text}" in done.stdout
        assert text in silos.control.log.replace('\\"', '"')


def test_the_old_signature_is_taken_only_where_it_is_switched_on(silos, organizations):
    secret = secrets.token_urlsafe(48)
    file = os.open(silos.folder / "rpc0", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(file, secret.encode() + b"\n")
    os.close(file)

    def call(path: str, body: bytes, token: str | None = None) -> tuple[int, bytes]:
        code = hmac.new(secret.encode(), path.encode() + b":" + body, hashlib.sha256).hexdigest()
        headers = {"content-type": "application/proto", "authorization": f"Rpcsignature rpc0:{token or code}"}
        status, _, answer = silos.control.post(path, body, headers)
        return status, answer

    body = text_field(1, "in-us1")
    assert call(MAPPING + "GetBySlug", body)[0] == 401
    silos.write_config(rpc0={"secretFiles": ["rpc0"]})
    silos.control.reload()
    try:
        status, answer = call(MAPPING + "GetBySlug", body)
        assert status == 200 and b"in-us1" in answer
        assert call(MAPPING + "GetBySlug", body, "0" * 64)[0] == 401
        elsewhere = hmac.new(secret.encode(), f"{MAPPING}Get:".encode() + body, hashlib.sha256).hexdigest()
        assert call(MAPPING + "GetBySlug", body, elsewhere)[0] == 401, "signed for another path"
        # It says nothing of who calls: keys of organizations are not for it.
        status, answer = call("/silo.v1.APIKeyFeedService/ListChanges", text_field(1, "us1"))
        assert status == 403, answer
        # New signatures are taken beside it.
        assert ask(silos)[0] == 200
        assert secret not in silos.control.log
    finally:
        silos.write_config()
        silos.control.reload()
    assert call(MAPPING + "GetBySlug", body)[0] == 401


def test_identities_change_while_everything_runs(silos, organizations):
    silos.write_config(identities=[{"silo": "cell:us1", "name": "stranger.internal"}])
    silos.control.reload()
    try:
        status, answer = ask(silos)
        assert status == 403 and b"must present a client certificate for stranger.internal" in answer
        assert ask(silos, certificate="stranger")[0] == 200
    finally:
        silos.write_config()
        silos.control.reload()
    assert ask(silos)[0] == 200


def test_cells_and_addresses_change_while_everything_runs(silos, organizations):
    eu1, key = silos.all["eu1"], organizations["eu1"][1]
    assert silos.control.repositories(key)[0] == 200
    eu1.kill()
    eu1.port = free_port()
    eu1.start()
    silos.write_config()
    silos.control.reload()
    wait_until(lambda: silos.control.repositories(key)[0] == 200)
    assert silos.control.run("silo", "check").returncode == 0
    # Calls that are signed go there too.
    assert "in-eu1" in silos.control.run("repo", "list", "--organization", str(organizations["eu1"][0])).stdout

    ports, far = {name: silo.port for name, silo in silos.all.items()}, free_port()

    def cells(*names: str) -> list[dict]:
        return [
            {"name": name, "snowflakeId": number, "address": f"https://127.0.0.1:{ports.get(name, far)}"}
            for number, name in enumerate(names)
        ]

    count = silos.control.log.count("cannot be used; all stays as it is")
    silos.write_config(cells=cells("us1"))
    silos.control.reload()
    assert silos.control.log.count("cannot be used; all stays as it is") == count + 1
    assert "organizations live in it, such as in-eu1" in silos.control.log
    assert silos.control.repositories(key)[0] == 200
    silos.write_config(cells=cells("us1", "eu1", "ap1"))
    silos.control.reload()
    assert "ap1" in silos.control.log.splitlines()[-1] or "cellsAdded=[ap1]" in silos.control.log
    # Organizations can be made there at once, by another silo's call too.
    body = text_field(1, "far-away") + text_field(2, "ap1")
    headers = silos.sign("us1-control", silos.control, MAPPING + "Create", body, {"x-silo-idempotency-key": "far-1"})
    assert silos.control.post(MAPPING + "Create", body, headers, certificate="us1")[0] == 200
