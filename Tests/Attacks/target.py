"""The server under attack as its own process: what it uses and what it counts."""

import http.client
import json
import os
import resource
import subprocess
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("ATTACK_SERVER_BINARY", CHECKOUT / ".build/debug/attack-server"))
CEILING_FACTOR = float(os.environ.get("ATTACK_CEILING_FACTOR", "1"))
"""How much more memory and processor time the server may take than usual: for one that a sanitizer slows down."""
TICK = os.sysconf("SC_CLK_TCK")


class Target:
    def __init__(self, folder: Path, limits: dict = {}, timers: dict = {}, descriptors: int | None = None,
                 tls: tuple[Path, Path] | None = None):
        self.log_path = folder / f"server-{time.monotonic_ns()}.log"
        command = [str(BINARY)]
        command += [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
        command += [word for name, value in timers.items() for word in ("--timer", f"{name}={value}")]
        if tls is not None:
            command += ["--tls-certificate", str(tls[0]), "--tls-key", str(tls[1])]
        before = None
        if descriptors is not None:
            def before():
                resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, descriptors))
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, preexec_fn=before
            )
        line = self.process.stdout.readline().decode()
        assert line.startswith("ready "), self.log()
        self.port, *more = map(int, line.split()[1:])
        self.tls_port = more[0] if more else None

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def stop(self) -> None:
        self.process.stdin.close()
        try:
            code = self.process.wait(timeout=30)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stdout.close()
        assert code == 0, self.log()

    def counters(self) -> dict:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", "/counters", headers={"connection": "close"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def hits(self, limit: str) -> int:
        return self.counters()["limitHits"].get(limit, 0)

    def cpu_seconds(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def forget_peak(self) -> None:
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")

    def memory(self, which: str) -> float:
        """VmRSS or VmHWM (the peak since `forget_peak`), megabytes."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(which + ":"):
                return int(line.split()[1]) / 1024
        raise AssertionError(f"no {which}")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))


def wait_until(condition, seconds: float = 15) -> bool:
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True
