"""A disk that can be filled: a tmpfs of a few megabytes, which only the server's process and its children see."""

import contextlib
import errno
import os
import subprocess
from functools import cache
from pathlib import Path

MOUNT = 'mount -t tmpfs -o "size=$0,mode=700" tmpfs "$1" && shift && exec "$@"'
WAYS = [
    (["unshare", "--mount"], ["nsenter", "--mount"]),
    (["unshare", "--user", "--map-root-user", "--mount"], ["nsenter", "--user", "--preserve-credentials", "--mount"]),
]
"""How to get a disk of one's own, and how to join a process that has one."""


@cache
def way() -> tuple[list[str], list[str]] | None:
    """How this machine lets us mount: as root, or in a user namespace; None for not at all."""
    for way in WAYS:
        command = [*way[0], "sh", "-c", MOUNT, "64k", "/mnt", "true"]
        if subprocess.run(command, capture_output=True).returncode == 0:
            return way
    return None


def on_small_disk(folder: Path, byte_count: int) -> list[str]:
    """What to put in front of a command, so that it has a small disk at a folder."""
    return [*way()[0], "sh", "-c", MOUNT, str(byte_count), str(folder)]


class SmallDisk:
    """The same disk, seen from outside through one of the processes that have it.

    Files are reached below `/proc/PID/root`. SQLite would resolve that to another place: see `inside`.
    """

    def __init__(self, pid: int, folder: Path):
        self.inside = [*way()[1], "--target", str(pid)]
        """What to put in front of a command, so that it has the same disk in the same place."""
        self.folder = Path(f"/proc/{pid}/root") / folder.relative_to("/")
        self.filler = self.folder / "filler"

    @property
    def free(self) -> int:
        status = os.statvfs(self.folder)
        return status.f_bavail * status.f_frsize

    def fill(self, leaving: int = 0):
        """Fills it to the last page, or leaves some bytes free."""
        with open(self.filler, "ab", buffering=0) as file:
            while (room := self.free - leaving) > 0 or leaving == 0:
                try:
                    file.write(b"x" * max(1, min(room, 1 << 20)))
                except OSError as error:
                    assert error.errno == errno.ENOSPC
                    return

    def clear(self):
        with contextlib.suppress(FileNotFoundError):
            self.filler.unlink()
