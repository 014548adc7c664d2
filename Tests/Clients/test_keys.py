"""Keys: the command line, the administration service, rates, signatures, the audit log."""

import importlib
import json
import subprocess
import sys
import time

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2

from fixture_repository import make_small_repository
from gateway import CHECKOUT, Gateway, row, rows, run, wait_until

sys.path.insert(0, str(CHECKOUT / "examples/signed-calls"))
import signing  # noqa: E402

SERVICE = "/sentry.integrations.scm.v1.ScmService"


@pytest.fixture(scope="module")
def keys_pb2(scm, tmp_path_factory):
    """The message types of the key service, generated now."""
    folder = tmp_path_factory.mktemp("keys")
    proto = "silo/keys/v1/keys.proto"
    outputs = [f"--python_out={folder}", f"--grpc_python_out={folder}"]
    subprocess.run(
        [sys.executable, "-m", "grpc_tools.protoc", f"-I{CHECKOUT / 'Protos'}", *outputs, proto], check=True
    )
    sys.path.insert(0, str(folder))
    return importlib.import_module("silo.keys.v1.keys_pb2")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    """A server of its own: this file reads its audit log."""
    folder = tmp_path_factory.mktemp("keys-world")
    server = Gateway(make_small_repository(folder / "a.git", "a"), folder / "data", "--log-format", "json")
    yield server
    assert server.stop() == 0


def data(gateway):
    return ["--data-folder", gateway.data_folder]


def add_key(gateway, *arguments):
    return row("key", "add", "--organization", str(gateway.organization_id), *arguments, *data(gateway))


def place(gateway):
    return gateway.url.removeprefix("http://")


@pytest.fixture
def admin(gateway, keys_pb2):
    """The key service, with a key that may administer."""
    stubs = importlib.import_module("silo.keys.v1.keys_pb2_grpc")
    key = add_key(gateway, "--name", "admin", "--scope", "scm:admin", "--scope", "scm:read")["key"]
    with grpc.insecure_channel(place(gateway)) as channel:
        stub = stubs.KeyServiceStub(channel)

        class Admin:
            def __getattr__(self, name):
                return lambda request: getattr(stub, name)(request, metadata=[("x-api-key", key)], timeout=30)

        yield Admin()


def call(gateway, key, method="ListRepositories", request=None, scm=None, channel=None, metadata=None):
    request = request if request is not None else scm.ListRepositoriesRequest()
    with grpc.insecure_channel(place(gateway)) as own:
        invoke = (channel or own).unary_unary(f"{SERVICE}/{method}", lambda m: m.SerializeToString(), lambda b: b)
        fields = metadata or ([("x-api-key", key)] if key else [])
        try:
            invoke(request, metadata=fields, timeout=30)
            return None
        except grpc.RpcError as error:
            return error


def detail(error, kind):
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    for entry in status_pb2.Status.FromString(packed).details:
        found = kind()
        if entry.Unpack(found):
            return found
    return None


def test_the_service_makes_lists_rotates_and_ends_keys(gateway, admin, keys_pb2, scm):
    made = admin.CreateKey(keys_pb2.CreateKeyRequest(name="robot", scopes=["scm:read"], calls_per_minute=600))
    assert made.text.startswith(made.key.prefix) and made.key.organization_id == gateway.organization_id
    assert (made.key.use, made.key.calls_per_minute) == (keys_pb2.KEY_USE_BEARER, 600)
    assert call(gateway, made.text, scm=scm) is None

    rotated = admin.RotateKey(keys_pb2.RotateKeyRequest(key_id=made.key.id))
    assert rotated.key.replaces_id == made.key.id and rotated.key.name == "robot"
    assert abs(rotated.old_key_expires_at.seconds - time.time() - 86_400) < 600
    assert call(gateway, rotated.text, scm=scm) is None and call(gateway, made.text, scm=scm) is None

    admin.RevokeKey(keys_pb2.RevokeKeyRequest(key_id=made.key.id))
    assert wait_until(lambda: call(gateway, made.text, scm=scm) is not None, 30)
    with pytest.raises(grpc.RpcError) as refused:
        admin.RotateKey(keys_pb2.RotateKeyRequest(key_id=made.key.id))
    assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION

    expired = admin.ExpireKey(keys_pb2.ExpireKeyRequest(key_id=rotated.key.id, expires_at={"seconds": 1}))
    assert expired.key.expires_at.seconds == 1
    assert wait_until(lambda: call(gateway, rotated.text, scm=scm) is not None, 30)

    found, token = [], ""
    while True:
        page = admin.ListKeys(keys_pb2.ListKeysRequest(page_size=2, page_token=token))
        found += page.keys
        token = page.next_page_token
        if not token:
            break
    assert [key.id for key in found] == sorted(key.id for key in found)
    states = {key.id: key.is_revoked for key in found}
    assert states[made.key.id] and not states[rotated.key.id]
    assert made.text not in str(found)


def test_bad_requests_are_refused_by_name(admin, keys_pb2):
    for request, text in [
        (keys_pb2.CreateKeyRequest(scopes=["scm:everything"]), "scopes"),
        (keys_pb2.CreateKeyRequest(calls_per_minute=-1), "callsPerMinute"),
        (keys_pb2.CreateKeyRequest(name="x" * 201), "name"),
        (keys_pb2.CreateKeyRequest(expires_at={"seconds": -1}), "expires_at"),
    ]:
        with pytest.raises(grpc.RpcError) as refused:
            admin.CreateKey(request)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT and text in refused.value.details()
    with pytest.raises(grpc.RpcError) as refused:
        admin.CreateKey(keys_pb2.CreateKeyRequest(organization_id=999))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND


def test_only_administrators_may(gateway, keys_pb2, scm):
    """The second call with the same key is decided from memory: it must be refused too."""
    stubs = importlib.import_module("silo.keys.v1.keys_pb2_grpc")
    with grpc.insecure_channel(place(gateway)) as channel:
        for _ in range(3):
            with pytest.raises(grpc.RpcError) as refused:
                stubs.KeyServiceStub(channel).ListKeys(
                    keys_pb2.ListKeysRequest(), metadata=[("x-api-key", gateway.key)], timeout=30
                )
            assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_the_command_line_rotates_and_expires(gateway, scm):
    old = add_key(gateway, "--name", "old", "--days", "30")
    new = row("key", "rotate", str(old["id"]), "--overlap-hours", "0", *data(gateway))
    assert call(gateway, new["key"], scm=scm) is None
    assert call(gateway, old["key"], scm=scm).code() == grpc.StatusCode.UNAUTHENTICATED
    by_id = {entry["id"]: entry for entry in rows("key", "list", *data(gateway))}
    assert by_id[old["id"]]["state"] == "expired" and by_id[new["id"]]["state"] == "valid"
    assert run("key", "expire", str(new["id"]), "--days", "0", *data(gateway)).returncode == 0
    assert wait_until(lambda: call(gateway, new["key"], scm=scm) is not None, 30)
    assert run("key", "revoke", "999", *data(gateway)).returncode != 0


def test_a_key_has_a_rate(gateway, scm):
    key = add_key(gateway, "--calls-per-minute", "12")["key"]
    refused = None
    for _ in range(10):
        refused = refused or call(gateway, key, scm=scm)
    assert refused.code() == grpc.StatusCode.RESOURCE_EXHAUSTED and "callsPerMinute = 12" in refused.details()
    assert detail(refused, error_details_pb2.ErrorInfo).reason == "RATE_LIMITED"
    wait = detail(refused, error_details_pb2.RetryInfo).retry_delay
    assert 0 < wait.seconds + wait.nanos / 1e9 <= 5
    assert call(gateway, gateway.key, scm=scm) is None, "another key is not touched"


# ------------------------------------------------------------------------------------------------ signatures


@pytest.fixture(scope="module")
def signer(gateway):
    return add_key(gateway, "--name", "signer", "--signing")


def test_a_signed_call_passes(gateway, signer, scm):
    with grpc.insecure_channel(place(gateway)) as plain:
        channel = grpc.intercept_channel(plain, signing.Signer(signer["id"], signer["key"]))
        request = scm.ListRepositoriesRequest(page_size=3)
        assert call(gateway, None, request=request, channel=channel) is None
        blame = channel.unary_stream(f"{SERVICE}/BlameFile", lambda m: m.SerializeToString(), scm.BlameHunk.FromString)
        request = scm.BlameFileRequest(repository_id=gateway.repository_id, path="name.txt")
        assert sum(hunk.line_count for hunk in blame(request, timeout=30)) > 0


def test_curl_signs_too(gateway, signer):
    command = [CHECKOUT / "examples/signed-calls/signed-curl", gateway.url, str(signer["id"]), "ListRepositories", "{}"]
    done = subprocess.run(
        command, env={
            "PATH": "/usr/bin:/bin", "SCM_GATEWAY_SIGNING_KEY": signer["key"]
        }, capture_output=True, check=True
    )
    assert json.loads(done.stdout)["repositories"][0]["id"] == str(gateway.repository_id)


def test_a_signature_is_for_one_request_once(gateway, signer, scm):
    request = scm.ListRepositoriesRequest(page_size=3)
    message = request.SerializeToString()
    target = f"{SERVICE}/ListRepositories"
    framed = b"\0" + len(message).to_bytes(4, "big") + message

    def refusal(header, request=request, extra=()):
        return call(gateway, None, request=request, metadata=[("x-signature", header), *extra])

    def sign(key_id=signer["id"], key=signer["key"], target=target, content_type="application/grpc", body=framed):
        return signing.signature(key_id, key, "POST", target, content_type, body)

    good = sign()
    assert refusal(good) is None
    assert "nonce was used before" in refusal(good).details()
    assert "not of this request" in refusal(sign(), scm.ListRepositoriesRequest(page_size=4)).details()
    for wrong in [
        sign(key="scm_another-key-of-some-length"), sign(key_id=999), sign(target=target + "x"), sign(body=b""),
        sign(content_type="application/json"), sign(key_id=1, key=gateway.key),
    ]:
        error = refusal(wrong)
        assert error.code() == grpc.StatusCode.UNAUTHENTICATED and "not of this request" in error.details()
    old = sign().split("ts=")[0] + f"ts={int(time.time() * 1000) - 3_600_000}," + sign().split(",", 2)[2]
    assert "signatureWindow" in refusal(old).details()
    for malformed in [
        "", "v1", "v2 kid=1,ts=1,nonce=" + "a" * 16 + ",sig=AAAA", good + ",kid=1", good.replace("nonce", "n")
    ]:
        assert refusal(malformed).code() == grpc.StatusCode.UNAUTHENTICATED
    assert "both" in refusal(sign(), extra=[("x-api-key", gateway.key)]).details()


def test_a_key_that_signs_is_not_taken_as_it_is(gateway, signer, scm):
    assert call(gateway, signer["key"], scm=scm).code() == grpc.StatusCode.UNAUTHENTICATED


# ------------------------------------------------------------------------------------------------ audit


def test_changes_are_written_down_and_reads_are_not(gateway, admin, keys_pb2, scm):
    repository = scm.Repository(id=gateway.repository_id, name="renamed")
    update = scm.UpdateRepositoryRequest(repository=repository, update_mask={"paths": ["name"]})
    metadata = [("x-api-key", gateway.key), ("x-request-id", "request 7")]
    assert call(gateway, None, "UpdateRepository", update, metadata=metadata) is None
    missing = scm.DeleteRepositoryRequest(repository_id=4711)
    assert call(gateway, gateway.key, "DeleteRepository", missing).code() == grpc.StatusCode.NOT_FOUND

    entries = admin.ListAuditEntries(keys_pb2.ListAuditEntriesRequest(page_size=1000)).entries
    assert [entry.id for entry in entries] == sorted((entry.id for entry in entries), reverse=True)
    assert not any("List" in entry.method or "Blame" in entry.method for entry in entries)
    by_method = {entry.method: entry for entry in entries}
    changed = by_method[f"{SERVICE}/UpdateRepository"]
    assert changed.subject == f"repository.id={gateway.repository_id}" and changed.outcome == "OK"
    assert changed.result.split()[0] == f"id={gateway.repository_id}", "the ids in the answer"
    made = admin.CreateKey(keys_pb2.CreateKeyRequest(name="for the audit")).key
    (entry,) = admin.ListAuditEntries(keys_pb2.ListAuditEntriesRequest(subject=f"key.id={made.id}")).entries
    assert entry.method.endswith("/CreateKey") and "for the audit" not in str(entry)
    ask = keys_pb2.ListAuditEntriesRequest(method="Repository", outcome="NOT_FOUND", key_id=changed.key_id)
    assert {found.subject for found in admin.ListAuditEntries(ask).entries} == {"repositoryId=4711"}
    ask = keys_pb2.ListAuditEntriesRequest(since=changed.at, until=changed.at)
    assert not admin.ListAuditEntries(ask).entries
    assert (changed.request_id, changed.peer) == ("request 7", "127.0.0.1") and changed.key_id > 0
    refused = by_method[f"{SERVICE}/DeleteRepository"]
    assert (refused.subject, refused.outcome) == ("repositoryId=4711", "NOT_FOUND")
    assert "renamed" not in str(entries)
    commands = rows("audit", "--limit", "1000", *data(gateway))
    assert [entry["id"] for entry in commands][-len(entries):] == [entry.id for entry in entries]
    filtered = rows(
        "audit", "--method", "DeleteRepo", "--outcome", "NOT_FOUND", "--since", "2020-01-01T00:00:00Z", *data(gateway)
    )
    assert [entry["subject"] for entry in filtered] == ["repositoryId=4711"]
    assert run("audit", "--since", "yesterday", *data(gateway)).returncode != 0
    assert any(entry["method"] == "key add" and entry["peer"] == "command line" for entry in commands)
    assert '"audit"' in gateway.read_log() and "UpdateRepository" in gateway.read_log()
