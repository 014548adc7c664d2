"""What one git process may take: repositories that make git ask for more get a clear status, and the server goes on."""

import hashlib
import shutil
import struct
import subprocess
import zlib
from pathlib import Path

import pytest
from google.rpc import error_details_pb2
from grpc import StatusCode as Code

from clients import CallFailed, GrpcioClient
from fixture_repository import FastImport, git, make_small_repository
from gateway import Gateway, row, wait_until

MEBIBYTE = 1 << 20
MEMORY = 96 * MEBIBYTE
BOMB = 384
"""Mebibytes that a pack of two kilobytes becomes."""


def packed(kind: int, size: int, content: bytes, before: bytes = b"") -> bytes:
    """An object of a pack: its kind and size, what it is made from, its content."""
    head, size = [kind << 4 | size & 15], size >> 4
    while size:
        head[-1] |= 0x80
        head.append(size & 127)
        size >>= 7
    return bytes(head) + before + zlib.compress(content)


def number(value: int) -> bytes:
    """A size inside a delta."""
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (0x80 if value else 0))
        if not value:
            return bytes(out)


def make_bomb(folder: Path) -> Path:
    """A repository with a file `bomb`: one mebibyte of lines, over and over again, as a delta of two bytes each."""
    make_small_repository(folder, "bomb")
    base = (b"x" * 63 + b"\n") * (MEBIBYTE // 64)
    base_id = hashlib.sha1(b"blob %d\0" % len(base) + base).digest()
    delta = number(MEBIBYTE) + number(BOMB * MEBIBYTE) + b"\xc0\x10" * BOMB
    pack = b"PACK" + struct.pack(">II", 2, 2) + packed(3, len(base), base) + packed(7, len(delta), delta, base_id)
    pack += hashlib.sha1(pack).digest()
    assert len(pack) < 4096
    git(folder, "index-pack", "--stdin", stdin=pack)
    digest = hashlib.sha1(b"blob %d\0" % (BOMB * MEBIBYTE))
    for _ in range(BOMB):
        digest.update(base)
    entries = git(folder, "ls-tree", "HEAD") + f"100644 blob {digest.hexdigest()}\tbomb\n".encode()
    tree = git(folder, "mktree", stdin=entries).decode().strip()
    identity = ["-c", "user.name=A", "-c", "user.email=a@example.org"]
    commit = git(folder, *identity, "commit-tree", tree, "-p", "HEAD", "-m", "bomb").decode().strip()
    git(folder, "update-ref", "HEAD", commit)
    return folder


class Limited:
    def __init__(self, folder, scm, repository, *limits: str, **variables: str):
        flags = [word for limit in limits for word in ("--limit", limit)]
        flags += ["--mirror-scheme", "file", "--repository-root", str(repository.parent)]
        self.gateway = Gateway(repository, folder / "data", *flags, **variables)
        arguments = ["--organization", self.gateway.organization_id, "--data-folder", folder / "data"]
        key = row("key", "add", "--name", "all", *arguments, "--scope", "scm:read", "--scope", "scm:write")["key"]
        self.client = GrpcioClient(self.gateway.url, key, scm)

    def call(self, method: str, **fields):
        fields = {"repository_id": self.gateway.repository_id} | fields
        return list(self.client.stream(method, self.client.methods[method].request(**fields), timeout=120))

    def ending(self, method: str, **fields) -> tuple[Code, str | None]:
        """Status, and the limit that it names."""
        try:
            self.call(method, **fields)
            return Code.OK, None
        except CallFailed as failed:
            info = failed.detail(error_details_pb2.ErrorInfo)
            return failed.code, info.metadata.get("limit") if info else None


@pytest.fixture
def limited(tmp_path, scm):
    made = []

    def start(repository, *limits, **variables):
        made.append(Limited(tmp_path, scm, repository, *limits, **variables))
        return made[-1]

    yield start
    for server in made:
        server.client.close()
        assert server.gateway.stop() == 0


def test_a_file_that_becomes_large(tmp_path, limited, scm):
    """Each way to read a delta bomb ends with the limit's name or without its content, and a copy of it is not made."""
    bomb = make_bomb(tmp_path / "repositories" / "bomb.git")
    server = limited(bomb, f"maximumCommandMemoryByteCount={MEMORY}", f"maximumMirrorMemoryByteCount={MEMORY}")
    memory = (Code.RESOURCE_EXHAUSTED, "maximumCommandMemoryByteCount")
    assert server.ending("BlameFile", path="bomb") == memory
    assert server.ending("GetCommitContext", filepath="bomb", line_number=1, max_age_days=-1) == memory
    changes = server.ending("ListCommitFileChanges", sha="HEAD", include_patches=True)
    assert changes[0] in (Code.OK, Code.RESOURCE_EXHAUSTED)
    assert server.ending("SearchCode", query="xxx") == memory
    file = server.ending("GetFile", path="bomb", length=10)
    assert file[0] in (Code.OK, Code.RESOURCE_EXHAUSTED, Code.FAILED_PRECONDITION)
    # What needs no content is answered, and so is the file beside it.
    assert server.call("CheckFile", path="bomb")[0].entry.size == BOMB * MEBIBYTE
    assert len(server.call("BlameFile", path="name.txt")) == 1
    (added,) = server.client.stream("CreateRepository", scm.CreateRepositoryRequest(
        provider=scm.PROVIDER_LOCAL_GIT, identifier=bomb.as_uri()))

    def mirror():
        return server.call("GetRepository", repository_id=added.id)[0].mirror

    assert wait_until(lambda: mirror().state != scm.MIRROR_STATE_CLONING, 60)
    assert mirror().state == scm.MIRROR_STATE_FAILED
    assert mirror().error.code == Code.RESOURCE_EXHAUSTED.value[0], mirror().error
    assert not [path for path in (tmp_path / "data" / "mirrors").rglob("*") if path.is_file()]


def limits_of(pid: int) -> dict[str, str]:
    """Soft limits of a process, by the names of /proc."""
    lines = Path(f"/proc/{pid}/limits").read_text().splitlines()[1:]
    return {line[:26].strip(): line[26:47].strip() for line in lines}


def test_the_limits_of_long_lived_processes(tmp_path, limited):
    server = limited(make_small_repository(tmp_path / "r" / "a.git", "a"), f"maximumCommandMemoryByteCount={MEMORY}")
    server.call("GetCommit", sha="HEAD")
    readers = [pid for pid, command in server.gateway.child_processes().items() if "cat-file" in command]
    assert readers
    for pid in readers:
        found = limits_of(pid)
        assert found["Max data size"] == str(MEMORY)
        assert found["Max file size"] == found["Max core file size"] == "0"
        assert found["Max cpu time"] == "unlimited"


def odd_git(folder: Path, subcommand: str, script: str) -> str:
    """A `git` that does something else for one subcommand; returns the PATH that finds it."""
    folder.mkdir()
    program = folder / "git"
    program.write_text(f'#!/bin/sh\nif [ "$1" = {subcommand} ]; then\n{script}\nfi\nexec {shutil.which("git")} "$@"\n')
    program.chmod(0o755)
    return f"{folder}:/usr/local/bin:/usr/bin:/bin"


def test_a_command_that_computes_for_ever(tmp_path, limited):
    path = odd_git(tmp_path / "odd", "blame", "while :; do :; done")
    server = limited(make_small_repository(tmp_path / "r" / "a.git", "a"), "gitProcessorTime=1", PATH=path)
    assert server.ending("BlameFile", path="name.txt") == (Code.DEADLINE_EXCEEDED, "gitProcessorTime")
    assert server.call("GetCommit", sha="HEAD")
    assert not server.gateway.running_git()


def test_a_command_that_writes(tmp_path, limited):
    """Reading commands may write to nothing but their pipes, whatever talked them into it."""
    file = tmp_path / "written"
    # It waits for the limits: they are set just after a process has started.
    wait = "while ! grep -q 'Max file size  *0 ' /proc/$$/limits; do sleep 0.01; done"
    path = odd_git(tmp_path / "odd", "blame", f"{wait}\necho x > '{file}'\nexit 1")
    server = limited(make_small_repository(tmp_path / "r" / "a.git", "a"), PATH=path)
    assert server.ending("BlameFile", path="name.txt")[0] is Code.FAILED_PRECONDITION
    assert not file.exists() or file.stat().st_size == 0


def test_a_repository_that_lies_about_its_objects(tmp_path, limited):
    """A pack index that leads beyond its pack, and objects that are not what their names say."""
    repository = make_small_repository(tmp_path / "r" / "a.git", "a")
    out = FastImport()
    out.commit("trunk", [(b"b.txt", b"content\n" * 1000)], "b\n")
    git(repository, "fast-import", "--quiet", "--force", stdin=bytes(out.stream))
    git(repository, "repack", "-adq")
    (index,) = (repository / "objects" / "pack").glob("*.idx")
    content = bytearray(index.read_bytes())
    count = struct.unpack(">I", content[8 + 255 * 4:8 + 256 * 4])[0]
    offsets = 8 + 256 * 4 + count * 24
    content[offsets:offsets + count * 4] = struct.pack(">I", 0x7FFF_FFF0) * count
    index.chmod(0o644)
    server = limited(repository)
    index.write_bytes(content)
    for method, fields in {
        "GetCommit": {"sha": "trunk"}, "BlameFile": {"path": "b.txt"}, "GetTree": {}, "GetFile": {"path": "b.txt"},
        "SearchCode": {"query": "content"}, "ListCommits": {},
    }.items():
        assert server.ending(method, **fields)[0] in (Code.OK, Code.FAILED_PRECONDITION, Code.NOT_FOUND), method
    assert subprocess.run(["git", "-C", repository, "fsck"], capture_output=True).returncode != 0
