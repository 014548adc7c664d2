"""The command line: administration, calls, exit codes, signals, restarts."""

import json
import signal
import sqlite3
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from clients import CallFailed, GrpcioClient
from fixture_repository import make_small_repository
from gateway import CHECKOUT, Gateway, row, rows, run

NOT_FOUND, UNAUTHENTICATED, INVALID_ARGUMENT, DEADLINE_EXCEEDED, UNAVAILABLE = 5, 16, 3, 4, 14


def call(world, *arguments, key=None, **options):
    return run("call", *arguments, "--address", world.gateway.url, "--api-key", key or world.gateway.key, **options)


def test_call_prints_json(world):
    result = call(world, "ListRepositories", '{"pageSize": 2}')
    assert result.returncode == 0, result.stderr
    answer = json.loads(result.stdout)
    assert [int(row["id"]) for row in answer["repositories"]] == world.repository_ids[:2]
    assert answer["repositories"][0]["provider"] == "PROVIDER_LOCAL_GIT"
    assert answer["nextPageToken"]
    assert result.stderr == ""


def test_call_takes_the_full_path_and_standard_input(world):
    path = "/sentry.integrations.scm.v1.ScmService/GetRepository"
    result = call(world, path, "-", stdin=json.dumps({"repositoryId": str(world.gateway.repository_id)}))
    assert result.returncode == 0, result.stderr
    assert json.loads(result.stdout)["defaultBranch"] == "main"


def test_call_prints_a_stream_as_lines(world):
    request = {"repositoryId": world.gateway.repository_id, "path": "src/util.py"}
    result = call(world, "BlameFile", json.dumps(request))
    assert result.returncode == 0, result.stderr
    hunks = [json.loads(line) for line in result.stdout.splitlines()]
    assert len(hunks) > 10 and all(len(hunk["commitSha"]) == 40 for hunk in hunks)


@pytest.mark.parametrize("wire", [
    "grpc", "grpc-web", "grpc-web-text", "grpc-web-http2", "grpc-web-text-http2", "connect", "connect-http2",
])
def test_call_over_every_wire(world, wire):
    assert call(world, "ListRepositories", "--wire", wire).returncode == 0


@pytest.mark.parametrize("arguments, code", [
    (["GetRepository", '{"repositoryId": 987654}'], NOT_FOUND),
    (["GetCommit", '{"repositoryId": %d, "sha": "--all"}'], INVALID_ARGUMENT),
    (["BlameFile", '{"repositoryId": %d, "path": "generated/table.csv"}', "--timeout", "0.001"], DEADLINE_EXCEEDED),
])
def test_call_ends_with_the_status(world, arguments, code):
    arguments = [word.replace("%d", str(world.gateway.repository_id)) for word in arguments]
    result = call(world, *arguments)
    assert result.returncode == code
    assert result.stdout == "" and result.stderr


def test_call_without_a_valid_key(world):
    assert call(world, "ListRepositories", key="wrong").returncode == UNAUTHENTICATED
    assert run("call", "ListRepositories", "--address", world.gateway.url).returncode == UNAUTHENTICATED


def test_call_without_a_server():
    result = run("call", "ListRepositories", "--address", "http://127.0.0.1:1", "--api-key", "x")
    assert result.returncode == UNAVAILABLE
    assert "127.0.0.1" in result.stderr


def test_what_a_server_says_does_not_steer_the_terminal():
    class Hostile(grpc.GenericRpcHandler):
        def service(self, details):
            def refuse(request, context):
                context.abort(grpc.StatusCode.NOT_FOUND, "\x1b[2J\x07 gone \u009b31m\x7f\r of caf\u00e9")

            return grpc.unary_unary_rpc_method_handler(refuse)

    server = grpc.server(ThreadPoolExecutor(2), handlers=[Hostile()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        result = run("call", "ListRepositories", "--address", f"http://127.0.0.1:{port}", "--api-key", "x")
    finally:
        server.stop(None)
    assert result.returncode == NOT_FOUND
    assert "\\u{1b}[2J\\u{7} gone \\u{9b}31m\\u{7f}\\u{d} of caf\u00e9" in result.stderr
    assert all(character.isprintable() or character == "\n" for character in result.stderr)


@pytest.mark.parametrize("arguments", [
    ["call", "NoSuchMethod"], ["call", "ListRepositories", "{"], ["call", "ListRepositories", '{"nope": 1}'],
    ["call", "ListRepositories", "--address", "nonsense"], ["nonsense"], ["serve", "--port", "seventy"],
    ["serve", "--port", "70000"], ["serve", "--config", "/no/such/file"], ["quickstart", "/no/such/folder"],
    ["repo", "add"], ["key", "add"], ["org", "add"],
])
def test_wrong_usage_explains_itself(arguments, tmp_path):
    result = run(*arguments, SCM_GATEWAY_DATA_FOLDER=str(tmp_path / "data"))
    assert result.returncode not in (0, *range(1, 17)) or result.returncode == 1
    assert result.stderr and "Fatal error" not in result.stderr


@pytest.mark.parametrize("arguments", [
    [], ["quickstart"], ["serve"], ["call"], ["org"], ["org", "add"], ["key"], ["key", "add"], ["repo"],
    ["repo", "add"],
])
def test_help_teaches(arguments):
    result = run(*arguments, "--help")
    assert result.returncode == 0
    assert "USAGE:" in result.stdout


def test_administration(tmp_path):
    data = ["--data-folder", tmp_path / "data"]
    assert rows("org", "list", *data) == []
    acme = row("org", "add", "acme", *data)
    of_acme = ["--organization", str(acme["id"]), *data]
    assert run("org", "add", "acme", *data).returncode != 0
    key = row("key", "add", *of_acme, "--name", "ci", "--scope", "scm:read")
    added = row("repo", "add", make_small_repository(tmp_path / "small.git", "small"), *of_acme, "--name", "mine")
    assert [each["name"] for each in rows("org", "list", *data)] == ["acme"]
    assert [(each["id"], each["name"]) for each in rows("repo", "list", *data)] == [(added["id"], "mine")]
    listed = rows("key", "list", *data)
    assert [(each["id"], each["name"], each["scopes"]) for each in listed] == [(key["id"], "ci", "scm:read")]
    assert key["key"] not in json.dumps(listed)
    assert run("org", "remove", str(acme["id"]), *data).returncode != 0
    for kind, each in [("repo", added), ("key", key), ("org", acme)]:
        assert run(kind, "remove", str(each["id"]), *data).returncode == 0
        assert run(kind, "remove", "987654", *data).returncode != 0
    assert rows("org", "list", *data) == rows("key", "list", *data) == rows("repo", "list", *data) == []


def test_a_folder_that_is_no_repository(tmp_path):
    data = ["--data-folder", tmp_path / "data"]
    organization = row("org", "add", "acme", *data)["id"]
    for path in [tmp_path, tmp_path / "nothing", "/etc/passwd"]:
        result = run("repo", "add", path, "--organization", str(organization), *data)
        assert result.returncode != 0 and str(path) in result.stderr


def test_scopes(world, scm, tmp_path):
    """A key that may only read cannot write."""
    gateway = world.gateway
    arguments = ["--organization", str(gateway.organization_id), "--scope", "scm:read", "--data-folder"]
    key = row("key", "add", *arguments, gateway.data_folder)
    client = GrpcioClient(gateway.url, key["key"], scm)
    assert client.unary("ListRepositories", scm.ListRepositoriesRequest(page_size=1)).repositories
    with pytest.raises(CallFailed) as caught:
        client.unary("DeleteRepository", scm.DeleteRepositoryRequest(repository_id=gateway.repository_id))
    assert caught.value.code == grpc.StatusCode.PERMISSION_DENIED
    client.close()
    assert run("key", "remove", str(key["id"]), "--data-folder", gateway.data_folder).returncode == 0


@pytest.mark.parametrize("ending", [signal.SIGTERM, signal.SIGINT])
def test_a_second_quickstart_keeps_ids_and_key(tmp_path, scm, ending):
    repository = make_small_repository(tmp_path / "small.git", "small")
    seen = []
    for _ in range(2):
        gateway = Gateway(repository, tmp_path / "data")
        client = GrpcioClient(gateway.url, gateway.key, scm)
        try:
            found = client.unary("ListRepositories", scm.ListRepositoriesRequest()).repositories
            assert [row.id for row in found] == [gateway.repository_id]
        finally:
            client.close()
            assert gateway.stop(ending) == 0
        seen.append((gateway.organization_id, gateway.repository_id, gateway.key))
    assert seen[0] == seen[1]


def test_quickstart_with_a_key_of_ones_own(tmp_path, scm):
    repository = make_small_repository(tmp_path / "small.git", "small")
    own = "my-own-key-0123456789abcdef"
    gateway = Gateway(repository, tmp_path / "data", "--api-key", own)
    try:
        assert gateway.key == own
        client = GrpcioClient(gateway.url, own, scm)
        assert len(client.unary("ListRepositories", scm.ListRepositoriesRequest()).repositories) == 1
        client.close()
    finally:
        assert gateway.stop() == 0


def test_a_stopped_server_leaves_no_process(tmp_path, scm):
    repository = make_small_repository(tmp_path / "small.git", "small")
    gateway = Gateway(repository, tmp_path / "data")
    client = GrpcioClient(gateway.url, gateway.key, scm)
    client.unary("GetCommit", scm.GetCommitRequest(repository_id=gateway.repository_id, sha="trunk"))
    children = gateway.child_processes()
    assert children, "commits are read through a process that stays"
    assert gateway.stop() == 0
    client.close()
    assert not [pid for pid in children if Path(f"/proc/{pid}").exists()]


def test_keys_are_not_stored(world):
    """Only a hash of a key is in the database; the quickstart key may be in its own file beside it."""
    world.gateway.data_folder.stat()
    for path in world.gateway.data_folder.glob("*.sqlite*"):
        assert world.gateway.key.encode() not in path.read_bytes()
        assert world.other_key.encode() not in path.read_bytes()
    database = next(world.gateway.data_folder.glob("*.sqlite"))
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_the_data_folder_is_private(world):
    assert world.gateway.data_folder.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("command, code, words", [
    (["scripts/quickstart", "--help"], 0, "SCM_GATEWAY_PORT"),
    (["scripts/quickstart", "/no/such/folder"], 1, "/no/such/folder"),
    (["scripts/quickstart", "--port"], 1, "needs a value"),
    (["scripts/quickstart", ".", "."], 1, "one PATH only"),
    (["scripts/test", "--help"], 0, "--skip-clients"),
    (["scripts/test", "--nonsense"], 1, "--nonsense"),
])
def test_scripts_explain_themselves(command, code, words):
    result = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, timeout=60)
    assert result.returncode == code
    assert words in result.stdout + result.stderr


def test_the_port_is_taken(world, tmp_path):
    result = run("serve", "--port", str(world.gateway.port), "--data-folder", tmp_path / "data")
    assert result.returncode != 0
    assert str(world.gateway.port) in result.stderr


def test_limits_are_set_by_name(tmp_path):
    """From the flag and from the environment; an unknown name or an impossible value ends the start."""
    data = ["--data-folder", str(tmp_path / "data")]
    for text, reason in [
        ("conections=1", 'no limit "conections"; there are: '), ("connections=-1", "limit connections cannot be -1"),
        ("connections", 'limit "connections" must look like NAME=NUMBER'),
        ("maximumUnaryTimeout=-2", "limit maximumUnaryTimeout cannot be -2"),
    ]:
        for refused in (run("serve", "--limit", text, *data), run("serve", *data, SCM_GATEWAY_LIMITS=text)):
            assert refused.returncode != 0 and reason in refused.stderr
    listed = run("serve", "--limit", "help").stdout
    assert "connectionsPerAddress" in listed and "maximumRequestMessageByteCount" in listed and "requestHead" in listed


def test_a_relative_data_folder(tmp_path, monkeypatch):
    repository = make_small_repository(tmp_path / "a.git", "a")
    monkeypatch.chdir(tmp_path)
    gateway = Gateway(repository, Path("data"))
    try:
        request = json.dumps({"repositoryId": gateway.repository_id})
        result = run("call", "ListCommits", request, "--address", gateway.url, "--api-key", gateway.key)
        assert result.returncode == 0 and json.loads(result.stdout)["commits"], result.stderr
    finally:
        gateway.stop()
