"""git behind a program that notes every command line, and the grammar that all of them must fit."""

import os
import re
import shutil
from pathlib import Path

SCRIPT = """#!/bin/sh
{{ printf '%s\\0' "$#"; for word; do printf '%s\\0' "$word"; done; }} >>'{log}/'$$
exec {git} "$@"
"""

FLAGS = re.compile(
    rb"""
    # reading
      --incremental | --encoding=UTF-8 | -w | -M | -C | --ignore-rev=[0-9a-f]{40,64} | --no-textconv | --no-ext-diff
    | --batch-command | -z | -p | -t | -l | --stdin | -r | --raw | --numstat | --find-renames | -l1000 | --root
    | --diff-merges=first-parent | --no-renames | --patch | --unified=\d+ | --no-color | -n | -I | -E | -i
    | --color=always | -C\d+ | -L\d+,\d+ | --max-count=\d+ | --skip=\d+ | --first-parent | --no-merges | --count
    | --left-right | --max-age=-?\d+ | --min-age=-?\d+ | --fixed-strings | --regexp-ignore-case
    | --disambiguate=[0-9a-f]+
    # whatever is behind the "=", or the "e", is a value
    | --format=[^-].* | --author=.* | --grep=.* | -e.+
    # copying
    | --symref | --bare | --template= | --no-local | --progress | --prune | --force | --no-recurse-submodules
    | --no-write-fetch-head | --quiet | --prune=2\.weeks\.ago
    """,
    re.VERBOSE | re.DOTALL,
)
SUBCOMMANDS = re.compile(
    rb"blame|cat-file|diff-tree|for-each-ref|grep|ls-tree|merge-base|rev-list|rev-parse"
    rb"|ls-remote|clone|fetch|symbolic-ref|gc"
)
OBJECTS = re.compile(rb"\^?[0-9a-f]{40}|[0-9a-f]{40}\.\.\.[0-9a-f]{40}|refs/(heads|tags)/")
ADDRESS = re.compile(rb"(https|http|ssh|file)://[^\s?#]+")


WRITING = ["--limit", "maximumWrittenFileByteCount=1e9"]
"""What lets the server's git processes write their notes."""


class RecordingGit:
    """A folder with a `git`, for the front of PATH."""

    def __init__(self, folder: Path):
        self.folder, self.log = folder, folder / "log"
        self.log.mkdir(parents=True)
        program = folder / "git"
        program.write_text(SCRIPT.format(log=self.log, git=shutil.which("git")))
        program.chmod(0o755)

    @property
    def path(self) -> str:
        return f"{self.folder}:{os.environ['PATH']}"

    def command_lines(self) -> list[list[bytes]]:
        found = []
        for file in self.log.iterdir():
            words = file.read_bytes().split(b"\0")[:-1]
            while words:
                count = int(words[0])
                assert len(words) > count, f"a command line was cut: {words}"
                found.append(words[1:count + 1])
                words = words[count + 1:]
        return found


def fault(words: list[bytes]) -> str | None:
    """What is wrong with a command line: before `--` and `--end-of-options`, nothing but what is in the lists."""
    subcommand, *rest = words
    if not SUBCOMMANDS.fullmatch(subcommand):
        return f"{subcommand} is no subcommand of ours"
    copies = subcommand in (b"clone", b"fetch", b"ls-remote")
    for index, word in enumerate(rest):
        if word == b"--":
            return None
        if word == b"--end-of-options":
            return address_fault(rest[index + 1:]) if copies else objects_fault(rest[index + 1:])
        if not FLAGS.fullmatch(word) and not OBJECTS.fullmatch(word) and subcommand != b"symbolic-ref":
            return f"{word[:200]!r} of {subcommand} is neither a flag of ours nor an object"
    return None


def address_fault(words: list[bytes]) -> str | None:
    return None if ADDRESS.fullmatch(words[0]) else f"{words[0][:200]!r} is no address"


def objects_fault(words: list[bytes]) -> str | None:
    """Behind `--end-of-options` come object ids, and behind `--` paths."""
    before = words[:words.index(b"--")] if b"--" in words else words
    wrong = [word for word in before if not OBJECTS.fullmatch(word)]
    return f"{wrong[0][:200]!r} is no object id" if wrong else None
