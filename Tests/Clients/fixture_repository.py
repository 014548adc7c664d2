"""Makes git repositories with a history that is hard to blame, the same one every time.

The history goes through `git fast-import`, so a few hundred commits take well under a second. It has renames,
merges (plain ones and ones with changes of their own), deleted and moved lines, names that need quoting, a name
that is not UTF-8, files without a last line end, without content, with CRLF and with NUL, a symbolic link, a
submodule, authors outside of ASCII, a commit in Latin-1, commits with no message, branches and tags.
"""

import os
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

FIRST_COMMIT_TIME = 1_600_000_000

AUTHORS = [
    ("Ada Lovelace", "ada@example.com", "+0000"),
    ("Zoë Müller", "zoe@example.de", "+0100"),
    ("山田 太郎", "taro@example.jp", "+0900"),
    ("Nikhil O'Neil", "nikhil@example.in", "+0530"),
    ("no mail", "", "-1130"),
]

# What is in the way of user settings: everything but the repository's own configuration.
GIT_ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "LC_ALL": "C.UTF-8",
}


def git(repository: Path, *arguments: str | bytes, stdin: bytes | None = None) -> bytes:
    """Runs git in a repository and returns what it prints."""
    command = ["git", "-C", str(repository), *arguments]
    return subprocess.run(
        command, input=stdin, stdout=subprocess.PIPE, check=True, env=GIT_ENVIRONMENT
    ).stdout


def quoted(path: bytes) -> bytes:
    """A path in the C style that git reads and prints."""
    special = {ord('"'): b'\\"', ord("\\"): b"\\\\", ord("\n"): b"\\n", ord("\t"): b"\\t"}
    body = b"".join(
        special.get(byte) or (bytes([byte]) if 32 <= byte < 127 else b"\\%03o" % byte) for byte in path
    )
    return b'"' + body + b'"'


@dataclass
class FastImport:
    """Writes a fast-import stream."""

    stream: bytearray = field(default_factory=bytearray)
    commits: int = 0

    def commit(self, branch, changes, message, author=None, parent=None, merge=None, encoding=None):
        """Adds a commit and returns its mark.

        `changes`: list of (path, content or None to delete) or (path, content, mode) or ("rename", from, to).
        """
        self.commits += 1
        name, mail, zone = author or AUTHORS[self.commits % len(AUTHORS)]
        codec = encoding or "utf-8"
        written = FIRST_COMMIT_TIME + self.commits * 3600
        out = self.stream
        out += b"commit refs/heads/%s\nmark :%d\n" % (branch.encode(), self.commits)
        out += f"author {name} <{mail}> {written} {zone}\n".encode(codec)
        out += f"committer Committer {self.commits % 3} <commits@example.com> {written + 60} +0000\n".encode(codec)
        if encoding:
            out += b"encoding %s\n" % encoding.encode()
        self._data(message.encode(codec))
        if parent:
            out += b"from :%d\n" % parent
        if merge:
            out += b"merge :%d\n" % merge
        for change in changes:
            self._change(change)
        out += b"\n"
        return self.commits

    def _change(self, change):
        out = self.stream
        if change[0] == "rename":
            out += b"R %s %s\n" % (quoted(change[1]), quoted(change[2]))
        elif change[1] is None:
            out += b"D %s\n" % quoted(change[0])
        else:
            mode = change[2] if len(change) > 2 else b"100644"
            if mode == b"160000":
                out += b"M 160000 %s %s\n" % (change[1], quoted(change[0]))
            else:
                out += b"M %s inline %s\n" % (mode, quoted(change[0]))
                self._data(change[1])

    def tag(self, name, mark, message):
        tagger = f"Tagger <tags@example.com> {FIRST_COMMIT_TIME} +0000"
        self.stream += f"tag {name}\nfrom :{mark}\ntagger {tagger}\n".encode()
        self._data(message.encode())

    def reset(self, reference, mark):
        self.stream += f"reset {reference}\nfrom :{mark}\n\n".encode()

    def _data(self, content):
        self.stream += b"data %d\n%s\n" % (len(content), content)


class Document:
    """A text file that lives through the history."""

    def __init__(self, path: str | bytes, lines: int, newline: bytes = b"\n", last_newline: bool = True):
        self.path = path.encode() if isinstance(path, str) else path
        self.newline = newline
        self.last_newline = last_newline
        self.lines = [b"%s line %d" % (self.path.split(b"/")[-1].replace(b"\n", b" "), n + 1) for n in range(lines)]

    def edit(self, dice: random.Random, count: int):
        """Replaces, deletes, inserts, moves and repeats lines."""
        for _ in range(count):
            at = dice.randrange(len(self.lines) + 1)
            kind = dice.choice(["replace", "replace", "insert", "delete", "move", "repeat"])
            if kind == "insert" or len(self.lines) < 8:
                new = [b"new %d" % dice.randrange(10**6) for _ in range(dice.randrange(1, 5))]
                self.lines[at:at] = new
                continue
            at = min(at, len(self.lines) - 1)
            if kind == "replace":
                self.lines[at] = b"changed %d" % dice.randrange(10**6)
            elif kind == "delete":
                del self.lines[at : at + dice.randrange(1, 4)]
            elif kind == "move":
                self.lines.insert(dice.randrange(len(self.lines)), self.lines.pop(at))
            else:
                self.lines.insert(at, self.lines[at])

    @property
    def content(self) -> bytes:
        return self.newline.join(self.lines) + (self.newline if self.last_newline else b"")

    @property
    def change(self):
        return (self.path, self.content)


def first_files() -> list[Document]:
    return [
        Document("README.md", 40),
        Document("src/app.py", 120),
        Document("src/util.py", 60),
        Document("docs/übersicht.md", 30),
        Document("docs/日本語 手順.txt", 20),
        Document('odd names/we"ird\\.txt', 12),
        Document("odd names/tab\there.txt", 12),
        Document("odd names/new\nline.txt", 12),
        Document(b"odd names/latin-\xe9.txt", 12),
        Document("crlf.txt", 25, newline=b"\r\n"),
        Document("no-newline.txt", 10, last_newline=False),
        Document("generated/table.csv", 3000),
    ]


def still_files() -> list[tuple]:
    """Files that never change."""
    return [
        (b"empty.txt", b""),
        (b"only-newlines.txt", b"\n\n\n"),
        (b"one-line-no-newline", b"alone"),
        (b"binary.bin", bytes(range(256)) * 8),
        (b"script.sh", b"#!/bin/sh\nexit 0\n", b"100755"),
        (b"link", b"README.md", b"120000"),
        (b"vendor/library", b"1" * 40, b"160000"),
        (b"long-line.txt", b"x" * 100_000 + b"\nshort\n"),
    ]


def message(number: int) -> str:
    if number % 41 == 0:
        return ""
    if number % 17 == 0:
        return f"Change {number}\nwith a title of two lines\n\nAnd a body.\n\nAnd more: ä ö ü\n"
    if number % 13 == 0:
        return f"Ändere Nummer {number}"
    return f"Change {number}\n"


def write_history(out: FastImport, commits: int, seed: int) -> None:
    dice = random.Random(seed)
    documents = first_files()
    head = out.commit("main", [d.change for d in documents] + still_files(), "First commit\n")
    out.reset("refs/tags/v0.0-light", head)
    renames = {60: (1, b"src/application.py"), 120: (1, b"lib/core/application.py"), 150: (0, b"docs/README.md")}
    for number in range(2, commits):
        if number in renames:
            index, new = renames[number]
            document = documents[index]
            old, document.path = document.path, new
            document.edit(dice, 2)
            head = out.commit("main", [("rename", old, new), document.change], f"Rename to {new.decode()}\n")
        elif number % 25 == 0:
            head = merge_branch(out, dice, documents, head, number)
        elif number % 99 == 0:
            document = documents[2]
            document.edit(dice, 1)
            author = ("Jürgen Groß", "juergen@example.de", "+0200")
            head = out.commit("main", [document.change], "Größe geändert\n", author=author, encoding="iso-8859-1")
        else:
            changed = dice.sample(documents, dice.randrange(1, 4))
            for document in changed:
                document.edit(dice, dice.randrange(1, 6))
            head = out.commit("main", [d.change for d in changed], message(number))
        if number % 100 == 0:
            out.tag(f"v{number // 100}.0", head, f"Version {number // 100}\n\nNotes.\n")
    out.commit("unmerged/branch", [(b"branch.txt", b"on a branch\n")], "On a branch\n", parent=head)
    out.commit("pages", [(b"index.html", b"<p>no common history</p>\n")], "Unrelated\n")


def merge_branch(out, dice, documents, head, number) -> int:
    """A branch changes one file while main changes others; every second merge also has changes of its own."""
    on_branch, on_main = dice.sample(documents, 2)
    branch = f"feature/{number}"
    tip = head
    for step in range(3):
        on_branch.edit(dice, 3)
        tip = out.commit(branch, [on_branch.change], f"Feature {number}, step {step}\n", parent=tip)
    on_main.edit(dice, 3)
    head = out.commit("main", [on_main.change], f"Meanwhile {number}\n", parent=head)
    if number % 50 == 0:
        on_branch.edit(dice, 2)
        on_main.edit(dice, 2)
    changes = [on_branch.change, on_main.change]
    return out.commit("main", changes, f"Merge {branch}\n", parent=head, merge=tip)


def make_repository(folder: Path, commits: int = 300, seed: int = 1, bare: bool = True) -> Path:
    """Makes the repository at `folder` and returns it."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main", *(["--bare"] if bare else []))
    out = FastImport()
    write_history(out, commits, seed)
    git(folder, "fast-import", "--quiet", "--date-format=raw", stdin=bytes(out.stream))
    if not bare:
        git(folder, "reset", "--quiet", "--hard", "main")
    return folder


def make_small_repository(folder: Path, name: str) -> Path:
    """A bare repository with one commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=trunk", "--bare")
    out = FastImport()
    out.commit("trunk", [(b"name.txt", name.encode() + b"\n")], f"Start {name}\n")
    git(folder, "fast-import", "--quiet", stdin=bytes(out.stream))
    return folder


def make_empty_repository(folder: Path) -> Path:
    """A repository without a commit."""
    folder.mkdir(parents=True)
    git(folder, "init", "--quiet", "--initial-branch=main", "--bare")
    return folder


if __name__ == "__main__":
    import sys

    print(make_repository(Path(sys.argv[1]), bare="--work-tree" not in sys.argv))
