"""Every word of a list in every text and bytes field of every method, in requests that are right otherwise."""

import os
import socket
import subprocess
from collections import deque

import grpc
import pytest
from google.protobuf.descriptor import FieldDescriptor as Field
from google.rpc import error_details_pb2
from grpc import StatusCode as Code

from clients import GrpcioClient, status_of
from fixture_repository import FastImport, git
from gateway import Gateway, row, wait_until
from hostile_words import words
from recording_git import WRITING, RecordingGit, fault

CALLS_AT_A_TIME = 32
NOT_UTF8 = "these are not UTF-8"
EVERY_WORD = os.environ.get("HOSTILE_WORDS") == "all"
"""Otherwise every field gets a third of the words, each field another one: every word is in many fields."""
CLEAR = {
    Code.OK, Code.INVALID_ARGUMENT, Code.NOT_FOUND, Code.ALREADY_EXISTS, Code.FAILED_PRECONDITION, Code.UNIMPLEMENTED,
    Code.RESOURCE_EXHAUSTED, Code.PERMISSION_DENIED,
}


class Requests:
    """Requests that are answered well, but for the one field that gets a word."""

    def __init__(self, values: dict[str, object]):
        self.values = values
        """By field, `Message.field` before `field`."""

    def make(self, kind):
        return self.fill(kind())

    def fill(self, message, depth=0):
        for field in message.DESCRIPTOR.fields:
            own = f"{message.DESCRIPTOR.name}.{field.name}"
            value = self.values[own] if own in self.values else self.values.get(field.name)
            if value is not None and not isinstance(value, dict):
                if repeated(field):
                    getattr(message, field.name).append(value)
                else:
                    setattr(message, field.name, value)
            elif value is not None:
                target = getattr(message, field.name)
                Requests(self.values | value).fill(target.add() if repeated(field) else target)
        return message

    def hostile(self, kind):
        """(name, function that puts a word into a request) for every field that takes text or bytes."""
        return list(self.fields(kind.DESCRIPTOR, [], ()))

    def fields(self, descriptor, steps, seen):
        for field in descriptor.fields:
            path = [*steps, field]
            if field.type in (Field.TYPE_STRING, Field.TYPE_BYTES):
                yield path
            elif field.message_type and field.message_type.GetOptions().map_entry:
                yield path
            elif field.type == Field.TYPE_MESSAGE and field.message_type.name not in (*seen, "Any"):
                yield from self.fields(field.message_type, path, (*seen, field.message_type.name))

    def put(self, message, path, word: str):
        *steps, last = path
        for field in steps:
            target = getattr(message, field.name)
            if repeated(field):
                target = target[0] if target else self.fill(target.add())
            elif not message.HasField(field.name):
                target.SetInParent()
                self.fill(target)
            message = target
        if last.message_type:
            getattr(message, last.name)[word] = word
            return
        if last.name.startswith("raw_"):
            # Bytes of a path stand in place of its text.
            for field in message.DESCRIPTOR.fields:
                if field.name in ("path", "filepath"):
                    message.ClearField(field.name)
        value = word.encode() if last.type == Field.TYPE_BYTES else word
        if repeated(last):
            message.ClearField(last.name)
            getattr(message, last.name).append(value)
        else:
            setattr(message, last.name, value)


def repeated(field) -> bool:
    return field.is_repeated if hasattr(field, "is_repeated") else field.label == Field.LABEL_REPEATED


@pytest.fixture
def listener():
    """Counts who connects to a port of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


@pytest.fixture
def recorded(tmp_path):
    return RecordingGit(tmp_path / "recorded")


@pytest.fixture
def gateway(tmp_path, listener, recorded):
    for name in ("canary", "working", "repositories"):
        (tmp_path / name).mkdir()
    port = str(listener.getsockname()[1])
    flags = ["--mirror-scheme", "https", "--mirror-scheme", "http", "--mirror-scheme", "ssh", "--mirror-port", port]
    flags += WRITING
    gateway = Gateway(
        make_repository(tmp_path / "repositories" / "own"), tmp_path / "data", *flags, "--repository-root",
        str(tmp_path / "repositories"), working_folder=tmp_path / "working", PATH=recorded.path,
    )
    yield gateway
    code = gateway.stop()
    assert code == 0, gateway.read_log()


def make_repository(folder):
    folder.mkdir()
    git(folder, "init", "--quiet", "--initial-branch=main", "--bare")
    out = FastImport()
    files = [(b"a.txt", b"one\ntwo\n"), (b"CODEOWNERS", b"* @a\n"), (b"src/app.py", b"def a(): pass\n")]
    out.commit("main", files, "first\n")
    out.commit("main", [(b"a.txt", b"one\nthree\n")], "second\n")
    git(folder, "fast-import", "--quiet", stdin=bytes(out.stream))
    git(folder, "tag", "v1", "main")
    return folder


def good_values(scm, gateway, client) -> dict[str, object]:
    """What makes requests good, with a row of each kind."""
    repository = gateway.repository_id
    sha = client.unary("GetCommit", scm.GetCommitRequest(repository_id=repository, sha="main")).key
    mapping = client.unary("CreateCodeMapping", scm.CreateCodeMappingRequest(
        project_id=77, repository_id=repository, stack_root="app/", source_root="src/", default_branch="main"))
    client.unary("ImportCodeOwners", scm.ImportCodeOwnersRequest(code_mapping_id=mapping.id, raw="* @a\n"))
    issue = client.unary("CreateExternalIssue", scm.CreateExternalIssueRequest(group_id=5, project="app", title="x"))
    page = scm.Repository(id=repository, config={"web_url": "https://x/own"})
    client.unary("UpdateRepository", scm.UpdateRepositoryRequest(repository=page, update_mask={"paths": ["config"]}))
    comment = client.unary("CreateIssueComment", scm.CreateIssueCommentRequest(external_issue_id=issue.id, body="x"))
    return {
        "repository_id": repository, "sha": sha, "commit_sha": sha, "ref": "main", "revision": "main", "base": "main",
        "head": "main", "path": "a.txt", "GetTreeRequest.path": "src", "ListRepositoriesRequest.repository_id": None,
        "filepath": "a.txt", "line_number": 1, "line": 1, "max_age_days": -1, "include_snippet": True, "query": "o",
        "SearchRepositoriesRequest.query": "own", "code_mapping_id": mapping.id,
        "GetCommitContextRequest.code_mapping_id": 0,
        "BlameLine.code_mapping_id": 0, "project_id": 77, "external_issue_id": issue.id, "group_id": 5,
        "project": "app",
        "title": "x", "body": "x", "comment_id": comment.id, "lines": {}, "search": {}, "frames": {}, "frame": {},
        "StackFrame.filename": "app/app.py", "StackFrame.module": "app.app", "StackFrame.abs_path": "/srv/app/app.py",
        "ResolveCodeOwnersRequest.frames": None, "LinkExternalIssueRequest.group_id": 6,
        "repo_trees": {"RepoTree.name": "own", "RepoTree.branch": "main", "RepoTree.files": "src/app.py"},
        "platform": "python", "ListCodeMappingsRequest.repository_id": 0, "stack_root": "lib/",
        "default_branch": "main",
        "ParseCodeMappingRequest.stack_path": "app/app.py",
        "ParseCodeMappingRequest.source_url": "https://x/own/blob/main/src/app.py",
        "paths": "src/app.py", "FieldMask.paths": "title", "raw": "* @a\n", "issue_number": "1",
        "user": "ada", "direction": scm.SYNC_DIRECTION_OUTBOUND, "resolved": True, "mode": scm.DERIVE_MODE_CREATE,
        "status_check": {},
        "StatusCheck.status": scm.CHECK_STATUS_PENDING, "StatusCheck.name": "ci",
        "provider": scm.PROVIDER_LOCAL_GIT, "identifier": str(gateway.data_folder.parent / "repositories" / "other"),
        "code_mapping": {"CodeMapping.id": mapping.id}, "external_issue": {"ExternalIssue.id": issue.id},
        "ResolveCodeOwnersRequest.project_id": 0, "CreateExternalIssueRequest.repository_id": 0,
        "GetRateLimitRequest.integration_id": 1,
        "issue_settings": {}, "status_mappings": {},
        "UpdateIssueSettingsRequest.update_mask": {"FieldMask.paths": "status_mappings"},
        "repository": {"Repository.id": repository}, "Repository.name": "own", "update_mask": {},
        "UpdateRepositoryRequest.update_mask": {"FieldMask.paths": "name"},
        "UpdateCodeMappingRequest.update_mask": {"FieldMask.paths": "source_root"}, "follow_ignore_revs": True,
    }


def start(client, method, payload: bytes):
    """A call that runs; the request is bytes already."""
    return client.channel.unary_stream(method.path, None, method.response.FromString)(
        payload, timeout=120, metadata=client.metadata
    )


def end(call) -> tuple[Code, str, str | None]:
    """Status, message and reason of a call, all of whose answers are read."""
    try:
        for _ in call:
            pass
        return Code.OK, "", None
    except grpc.RpcError:
        status = status_of(dict(call.trailing_metadata() or ()).get("grpc-status-details-bin"))
        info = error_details_pb2.ErrorInfo()
        for detail in status.details if status else []:
            detail.Unpack(info)
        return call.code(), call.details(), info.reason or None


def test_requests_are_good_without_hostile_words(gateway, scm):
    """What the test below says is worth something only when it gets further than the first check."""
    client = GrpcioClient(gateway.url, full_key(gateway), scm)
    requests = Requests(good_values(scm, gateway, client))
    make_repository(gateway.data_folder.parent / "repositories" / "other")
    refused = {}
    for method in in_order(client):
        code, message, _ = end(start(client, method, requests.make(method.request).SerializeToString()))
        if code is not Code.OK and (method.name, code) != ("GetRateLimit", Code.UNIMPLEMENTED):
            refused[method.name] = f"{code.name}: {message}"
    client.close()
    assert not refused, "\n".join(f"{name} {problem}" for name, problem in refused.items())


def in_order(client):
    """All methods; what deletes comes last, because the others need its rows."""
    last = ["UnlinkExternalIssue", "DeleteCodeOwners", "DeleteCodeMapping", "DeleteRepository"]
    return sorted(client.methods.values(), key=lambda method: last.index(method.name) if method.name in last else -1)


def full_key(gateway) -> str:
    arguments = ["--organization", gateway.organization_id, "--name", "all", "--data-folder", gateway.data_folder]
    scopes = [word for scope in ("read", "write", "issues") for word in ("--scope", f"scm:{scope}")]
    return row("key", "add", *arguments, *scopes)["key"]


def payloads(requests, methods, hostile):
    """(method, what it is, word, bytes of the request)"""
    fields = [(method, path) for method in methods for path in requests.hostile(method.request)]
    for number, (method, path) in enumerate(fields):
        name = ".".join(field.name for field in path)
        for word in [*(hostile if EVERY_WORD else hostile[number % 3::3]), NOT_UTF8]:
            message = requests.make(method.request)
            requests.put(message, path, word)
            payload = message.SerializeToString()
            if word == NOT_UTF8:
                wrong = b"\xff\xfe\xc0\x80\xed\xa0\x80".ljust(len(NOT_UTF8), b"\xf8")
                payload = payload.replace(NOT_UTF8.encode(), wrong)
            yield method, name, word, payload


def results(client, calls):
    """Makes the calls, some at a time: (method, what, word, how it ended)."""
    running = deque()
    for method, name, word, payload in calls:
        running.append((method, name, word, payload, start(client, method, payload)))
        if len(running) == CALLS_AT_A_TIME:
            yield result(client, *running.popleft())
    for call in running:
        yield result(client, *call)


def result(client, method, name, word, payload, call):
    ending = end(call)
    # One derivation of an organization at a time may store its result.
    while ending[0] is Code.ABORTED:
        ending = end(start(client, method, payload))
    return method, name, word, ending


def test_no_word_is_more_than_a_word(gateway, scm, tmp_path, listener, recorded):
    port, canary = listener.getsockname()[1], tmp_path / "canary"
    client = GrpcioClient(gateway.url, full_key(gateway), scm)
    requests = Requests(good_values(scm, gateway, client))
    before = listing(tmp_path, "data", "recorded")
    faults, count = set(), 0
    calls = payloads(requests, in_order(client), words(canary, port))
    for method, name, word, (code, message, reason) in results(client, calls):
        count += 1
        shown = f"{method.name}.{name} {word[:60]!r}: {code.name} {reason} {message[:200]!r}"
        # Bytes that are no message of this kind are INTERNAL in gRPC.
        undecodable = word == NOT_UTF8 and "is not valid protobuf" in message
        if code not in CLEAR and reason != "HOST_UNREACHABLE" and not undecodable:
            faults.add(f"unclear: {shown}")
        if len(message) > 1024 or "fatal:" in message or (str(tmp_path) in message and str(tmp_path) not in word):
            faults.add(f"tells too much: {shown}")
    assert not faults, "\n".join(sorted(faults))
    assert count > 3000
    client.unary("GetCommit", scm.GetCommitRequest(repository_id=gateway.repository_id, sha="main"))
    client.close()
    assert not list(canary.iterdir()) and listing(tmp_path, "data", "recorded") == before
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert wait_until(lambda: not gateway.running_git(), 30), gateway.running_git()
    commands = recorded.command_lines()
    subcommands = {words[0] for words in commands}
    assert subcommands >= {b"blame", b"cat-file", b"rev-list", b"grep"}
    # Where they led was not allowed.
    assert subcommands.isdisjoint({b"ls-remote", b"clone", b"fetch"})
    assert not (wrong := {found for words in commands if (found := fault(words))}), wrong
    subprocess.run(["git", "-C", tmp_path / "repositories" / "own", "fsck", "--strict"], check=True)


def listing(folder, *without) -> list[str]:
    """Everything below a folder, but for what the server writes itself."""
    return sorted(str(path) for top in folder.iterdir() if not top.name.startswith(without) for path in top.rglob("*"))
