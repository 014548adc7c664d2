"""Reads what git itself says: the second opinion that answers are compared with."""

from dataclasses import dataclass
from pathlib import Path

from fixture_repository import git


@dataclass(frozen=True)
class Person:
    name: str
    email: str
    seconds: int


@dataclass(frozen=True)
class BlamedLine:
    """One line of a blamed file."""

    commit: str
    original_line: int
    original_path: bytes
    summary: str
    author: Person
    committer: Person
    previous_commit: str
    previous_path: bytes
    boundary: bool


def unquoted(path: bytes) -> bytes:
    """Undoes git's C-style quoting."""
    if not path.startswith(b'"'):
        return path
    simple = {b"n": b"\n", b"t": b"\t", b'"': b'"', b"\\": b"\\", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f"}
    simple[b"v"] = b"\v"
    out, at, body = bytearray(), 0, path[1:-1]
    while at < len(body):
        if body[at : at + 1] != b"\\":
            out += body[at : at + 1]
            at += 1
        elif body[at + 1 : at + 2] in simple:
            out += simple[body[at + 1 : at + 2]]
            at += 2
        else:
            out.append(int(body[at + 1 : at + 4], 8))
            at += 4
    return bytes(out)


def text(value: bytes) -> str:
    return value.decode("utf-8", errors="replace")


def blame(repository: Path, revision: str, path: bytes, *options: str) -> list[BlamedLine]:
    """`git blame --porcelain` with all facts for each line: one entry for each line of the file, in order."""
    out = git(repository, "blame", "--line-porcelain", *options, revision, "--", path)
    lines: list[BlamedLine] = []
    facts: dict[bytes, bytes] = {}
    header: list[bytes] = []
    for row in out.split(b"\n"):
        if not header:
            header, facts = row.split(b" "), {}
        elif row.startswith(b"\t"):
            lines.append(line(header[0].decode(), int(header[1]), facts))
            header = []
        else:
            name, _, value = row.partition(b" ")
            facts[name] = value
    return lines


def line(commit: str, original: int, facts: dict[bytes, bytes]) -> BlamedLine:
    previous_commit, _, previous_path = facts.get(b"previous", b"").partition(b" ")
    return BlamedLine(
        commit=commit,
        original_line=original,
        original_path=unquoted(facts[b"filename"]),
        summary=text(facts.get(b"summary", b"")),
        author=person(facts, b"author"),
        committer=person(facts, b"committer"),
        previous_commit=previous_commit.decode(),
        previous_path=unquoted(previous_path),
        boundary=b"boundary" in facts,
    )


def person(facts: dict[bytes, bytes], role: bytes) -> Person:
    mail = facts[role + b"-mail"].removeprefix(b"<").removesuffix(b">")
    return Person(text(facts[role]), text(mail), int(facts[role + b"-time"]))


def text_files(repository: Path, revision: str) -> list[bytes]:
    """Paths of all files at a revision that git does not take for binary; no links, no submodules."""
    paths = []
    for entry in git(repository, "ls-tree", "-r", "-z", revision).split(b"\0"):
        if entry.startswith(b"100"):
            about, _, path = entry.partition(b"\t")
            content = git(repository, "cat-file", "blob", about.split(b" ")[2].decode())
            if b"\0" not in content[:8000]:
                paths.append(path)
    return paths


def commits(repository: Path, revision: str, *options: str) -> list[str]:
    """Object ids in the order of `git log`."""
    return git(repository, "log", "--format=%H", *options, revision).decode().split()


def head(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD").decode().strip()
