"""The server under test, as its own process, and its command line."""

import json
import os
import re
import selectors
import signal
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("SCM_GATEWAY_BINARY", CHECKOUT / ".build/debug/scm-gateway"))

READY = re.compile(r"ready (?P<url>http://\S+) organization=(?P<organization>\d+) repository=(?P<repository>\d+) "
                   r"api-key=(?P<key>\S+)$")


def environment() -> dict[str, str]:
    """This process's environment without settings of the gateway."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SCM_GATEWAY_")}


def run(*arguments: str | Path, stdin: str | None = None, **variables: str) -> subprocess.CompletedProcess:
    """Runs `scm-gateway ARGUMENTS` to its end."""
    command = [BINARY, *map(str, arguments)]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=120, env=environment() | variables
    )


def rows(*arguments: str | Path) -> list[dict]:
    """Runs `scm-gateway ARGUMENTS --json` and returns what it prints, an object a line."""
    result = run(*arguments, "--json")
    assert result.returncode == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def row(*arguments: str | Path) -> dict:
    """The same for commands that print one object."""
    (only,) = rows(*arguments)
    return only


class Gateway:
    """`scm-gateway quickstart`, ready to be called."""

    def __init__(
        self, repository: Path, data_folder: Path, *arguments: str, prefix: list[str] = [], log: Path | None = None,
        working_folder: Path | None = None, **variables: str
    ):
        """`prefix` becomes this command (with `exec`), `variables` are added to the environment."""
        self.data_folder = data_folder
        command = [*prefix, BINARY, "quickstart", repository, "--port", "0", "--data-folder", data_folder, *arguments]
        self.log = open(log or data_folder.with_suffix(".log"), "ab")
        self.process = subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=self.log, env=environment() | variables,
            cwd=working_folder,
        )
        self.output = ""
        ready = self._wait_for_ready()
        self.url = ready["url"]
        self.organization_id = int(ready["organization"])
        self.repository_id = int(ready["repository"])
        self.key = ready["key"]
        self.port = int(self.url.rsplit(":", 1)[1])

    @property
    def pid(self) -> int:
        return self.process.pid

    def _wait_for_ready(self, seconds: float = 60) -> re.Match:
        end = time.monotonic() + seconds
        descriptor = self.process.stdout.fileno()
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while selector.select(end - time.monotonic()):
                piece = os.read(descriptor, 65536)
                self.output += piece.decode()
                for line in self.output.splitlines(keepends=True):
                    if line.endswith("\n") and (found := READY.match(line.rstrip("\n"))):
                        return found
                if not piece:
                    break
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"no ready line; output: {self.output!r}, log: {self.read_log()}")

    def read_log(self) -> str:
        return Path(self.log.name).read_text(errors="replace")

    def stop(self, with_signal: signal.Signals = signal.SIGTERM) -> int:
        """Sends the signal and returns the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(with_signal)
        try:
            code = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.process.stdout.close()
            self.log.close()
        return code

    def child_processes(self) -> dict[int, str]:
        """Process ids and command lines of the server's children."""
        found = {}
        for folder in Path("/proc").iterdir():
            if folder.name.isdigit():
                try:
                    stat = (folder / "stat").read_text()
                    command = (folder / "cmdline").read_bytes()
                except OSError:
                    continue
                if int(stat.rpartition(")")[2].split()[1]) == self.pid:
                    found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace")
        return found

    def running_git(self) -> list[str]:
        """Child processes that work on a call; those that wait for object requests are not among them."""
        return [command for command in self.child_processes().values() if "cat-file" not in command]

    def descriptors(self) -> int:
        """Number of open file descriptors."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))


def wait_until(condition, seconds: float = 10) -> bool:
    """Waits until the condition holds; false when it does not in time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
