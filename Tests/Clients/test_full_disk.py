"""A disk that is really full, a database that another process holds: what is refused, what goes on, what is kept."""

import json
import os
import subprocess
import sys
import threading

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode as Code

import small_disk
from clients import CallFailed, GrpcioClient
from fixture_repository import FastImport, git, make_small_repository
from gateway import BINARY, Gateway, wait_until
from small_disk import SmallDisk, on_small_disk

MEBIBYTE = 1 << 20


class Server:
    """A server whose data folder is on a disk of 16 MiB."""

    def __init__(self, folder, scm):
        self.scm, self.folder = scm, folder
        self.repositories = folder / "repositories"
        self.first = make_small_repository(self.repositories / "first.git", "first")
        self.disk_folder = folder / "disk"
        self.disk_folder.mkdir()
        self.start()

    def prepare(self):
        scopes = [word for scope in ("read", "write", "issues") for word in ("--scope", f"scm:{scope}")]
        self.key = self.row("key", "add", "--name", "all", *scopes)["key"]
        self.unread = self.add("second")
        self.client = GrpcioClient(self.gateway.url, self.key, self.scm)

    def start(self):
        self.gateway = Gateway(
            self.first, self.disk_folder / "data", "--mirror-scheme", "file",
            "--repository-root", str(self.repositories),
            prefix=on_small_disk(self.disk_folder, 16 * MEBIBYTE), log=self.folder / "log",
        )
        self.disk = SmallDisk(self.gateway.pid, self.disk_folder)

    def row(self, *arguments) -> dict:
        """As gateway.row, beside the server."""
        own = ["--organization", self.gateway.organization_id, "--data-folder", self.disk_folder / "data", "--json"]
        return json.loads(subprocess.check_output([str(w) for w in (*self.disk.inside, BINARY, *arguments, *own)]))

    def add(self, name: str) -> int:
        """The id of a new repository that nobody has read."""
        return int(self.row("repo", "add", make_small_repository(self.repositories / f"{name}.git", name))["id"])

    def call(self, method: str, **fields):
        """All answers to a call."""
        return list(self.client.stream(method, self.client.methods[method].request(**fields), timeout=60))

    def tries(self, method: str, **fields) -> Code:
        """How a call ends."""
        try:
            self.call(method, **fields)
            return Code.OK
        except CallFailed as failed:
            if failed.code is Code.RESOURCE_EXHAUSTED:
                assert failed.reason == "LIMIT_REACHED" and failed.detail(error_details_pb2.RetryInfo)
            return failed.code

    def stored(self) -> dict[str, list]:
        """Everything that was written, as the server tells it."""
        (mappings,) = self.call("ListCodeMappings", page_size=1000)
        (issues,) = self.call("ListExternalIssues", page_size=1000)
        return {
            "mappings": [mapping.stack_root for mapping in mappings.code_mappings],
            "issues": [issue.title for issue in issues.external_issues],
        }

    def reads(self):
        """Everything that only reads is answered."""
        repository = self.gateway.repository_id
        self.call("ListRepositories")
        self.call("GetCommit", repository_id=repository, sha="trunk")
        self.call("ListCommits", repository_id=repository)
        self.call("BlameFile", repository_id=repository, path="name.txt")
        self.call("GetFile", repository_id=repository, path="name.txt")
        self.call("SearchCode", repository_id=repository, query="first")
        self.stored()

    def on_database(self, program: str) -> subprocess.Popen:
        """Python that has the database as `db`, in a process of its own."""
        opening = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        return subprocess.Popen(
            [*self.disk.inside, sys.executable, "-c", opening + program, self.disk_folder / "data/scm-gateway.sqlite"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )


@pytest.fixture
def server(tmp_path, scm):
    if small_disk.way() is None:
        pytest.skip("this machine lets nobody mount a small disk: neither root nor a user namespace may")
    server = Server(tmp_path, scm)
    try:
        server.prepare()
        yield server
        server.client.close()
    finally:
        code = server.gateway.stop()
    assert code == 0, server.gateway.read_log()


def test_nothing_is_lost_when_the_disk_is_full(server):
    """What was answered OK is there, what was refused is not, and once there is room all goes on."""
    repository = server.gateway.repository_id
    server.reads()
    server.disk.fill()
    mapping = {"project_id": 1, "repository_id": repository, "default_branch": "m"}
    wanted = {"mappings": [], "issues": []}
    endings = set()
    for number in range(2000):
        text = f"{number:04}/" + "x" * 900
        code = server.tries("CreateCodeMapping", **mapping | {"stack_root": text})
        wanted["mappings"] += [text] * (code is Code.OK)
        title = f"{number:04} " + "x" * 200
        issue = server.tries("CreateExternalIssue", group_id=number + 1, project="p", title=title)
        wanted["issues"] += [title] * (issue is Code.OK)
        endings |= {code, issue}
        if code is issue is Code.RESOURCE_EXHAUSTED:
            break
    assert endings <= {Code.OK, Code.RESOURCE_EXHAUSTED}
    assert code is issue is Code.RESOURCE_EXHAUSTED, "the disk was never full"

    for _ in range(3):
        server.reads()
    assert {kind: sorted(rows) for kind, rows in server.stored().items()} == wanted
    comment = server.tries("CreateIssueComment", external_issue_id=1, body="x" * 60_000)
    assert comment in (Code.RESOURCE_EXHAUSTED, Code.NOT_FOUND)
    # Nobody has read this one before: there is no room for what the server needs to read it.
    assert server.tries("GetCommit", repository_id=server.unread, sha="trunk") is Code.RESOURCE_EXHAUSTED

    server.disk.clear()
    assert server.tries("CreateCodeMapping", **mapping | {"stack_root": "room/"}) is Code.OK
    assert server.tries("CreateExternalIssue", group_id=9999, project="p", title="room") is Code.OK
    wanted["mappings"].append("room/")
    wanted["issues"].append("room")
    assert server.tries("GetCommit", repository_id=server.unread, sha="trunk") is Code.OK
    for kind, rows in server.stored().items():
        assert sorted(rows) == sorted(wanted[kind])
    check = server.on_database("print(db.execute('PRAGMA integrity_check').fetchall())")
    assert check.communicate(timeout=60)[0] == "[('ok',)]\n"


def test_a_clone_that_does_not_fit(server, scm):
    """It fails with its reason, leaves nothing behind, and is made when there is room."""
    big = make_small_repository(server.repositories / "big.git", "big")
    out = FastImport()
    out.commit("trunk", [(b"big.bin", os.urandom(6 * MEBIBYTE))], "big\n")
    git(big, "fast-import", "--quiet", "--force", stdin=bytes(out.stream))
    server.disk.fill(leaving=3 * MEBIBYTE)
    (added,) = server.call("CreateRepository", provider=scm.PROVIDER_LOCAL_GIT, identifier=big.as_uri())

    def mirror():
        return server.call("GetRepository", repository_id=added.id)[0].mirror

    assert wait_until(lambda: mirror().state != scm.MIRROR_STATE_CLONING, 60)
    assert mirror().state == scm.MIRROR_STATE_FAILED
    assert mirror().error.code == Code.RESOURCE_EXHAUSTED.value[0], mirror().error
    mirrors = server.disk.folder / "data" / "mirrors"
    assert not [path for path in mirrors.rglob("*") if path.is_file()]
    assert server.disk.free > 2 * MEBIBYTE
    server.reads()
    server.disk.clear()
    *_, last = server.call("SyncRepositories", fetch_mirrors=True)
    assert list(last.result.fetched_repository_ids) == [added.id], last
    assert mirror().state == scm.MIRROR_STATE_READY
    server.call("BlameFile", repository_id=added.id, path="big.bin")


def test_a_blame_cache_that_does_not_fit(server):
    """Blame works without it: results are kept in memory, and on disk when there is room."""
    ids = [server.add(f"n{number}") for number in range(5)]
    for identifier in ids:
        server.call("GetCommit", repository_id=identifier, sha="trunk")
    server.disk.fill()
    for identifier in ids:
        assert server.tries("BlameFile", repository_id=identifier, path="name.txt") is Code.OK
    server.disk.clear()
    for identifier in ids:
        assert server.tries("BlameFile", repository_id=identifier, path="name.txt") is Code.OK


def test_a_database_that_another_process_holds(server):
    """Writes wait, then say when to try again; reads go on; nothing is written twice or lost."""
    holder = server.on_database("db.execute('BEGIN IMMEDIATE'); print('held', flush=True); input()")
    assert holder.stdout.readline() == "held\n"
    fields = {"project_id": 1, "repository_id": server.gateway.repository_id, "stack_root": "x/", "default_branch": "m"}
    endings = []

    def write(number: int):
        endings.append(server.tries("CreateCodeMapping", **fields | {"stack_root": f"{number}/"}))

    writers = [threading.Thread(target=write, args=[number]) for number in range(4)]
    for writer in writers:
        writer.start()
    server.reads()
    for writer in writers:
        writer.join()
    assert endings == [Code.UNAVAILABLE] * 4
    assert server.stored()["mappings"] == []
    holder.communicate("\n", timeout=60)
    assert server.tries("CreateCodeMapping", **fields) is Code.OK
    assert server.stored()["mappings"] == ["x/"]
