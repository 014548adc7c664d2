"""Control and two cells that book in each other's ledgers by methods of the class `once`, and are killed meanwhile."""

import collections
import signal
import sqlite3
import subprocess
import threading

import pytest

from gateway import BINARY
from silos import Silo, Silos, wait_until

NODE = BINARY.with_name("silo-node")


class Node(Silo):
    """A process of Tests/SiloNode, and what it says of the entries that it has booked elsewhere."""

    def prepare(self):
        self.told: dict[str, list[str]] = collections.defaultdict(list)
        self.reader: threading.Thread | None = None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        with open(self.folder / "log", "a") as log:
            command = [NODE, self.name, self.config, self.folder, str(self.port)]
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", self.log
        self.reader = threading.Thread(target=self.read, args=[self.process.stdout])
        self.reader.start()

    def read(self, lines):
        for line in lines:
            # The last one may be cut off.
            if line.endswith("\n"):
                word, entry = line.split(" ", 1)
                self.told[word].append(entry.rstrip("\n"))

    def kill(self, number: int = signal.SIGKILL):
        self.process.send_signal(number)
        self.process.wait(timeout=60)
        self.reader.join(timeout=60)
        self.process.stdout.close()

    def entries(self) -> list[str]:
        with sqlite3.connect(self.folder / "ledger.sqlite") as database:
            return [row[0] for row in database.execute("SELECT entry FROM ledger ORDER BY id")]


@pytest.fixture
def nodes(tmp_path):
    silos = Silos(tmp_path)
    silos.all = {}
    for name, port in silos.ports.items():
        silos.all[name] = Node(name, tmp_path, silos.config)
        silos.all[name].port = port
        silos.all[name].prepare()
    with silos:
        yield silos.all


def test_nothing_is_booked_twice_and_nothing_told_is_lost(nodes):
    def count(word: str, source: str, target: str) -> int:
        return sum(entry.startswith(f"{target} ") for entry in list(nodes[source].told[word]))

    cells = [name for name in nodes if name != "control"]
    ways = [("control", cell) for cell in cells] + [(cell, "control") for cell in cells]

    def go_on(word: str, ways: list[tuple[str, str]], more: int):
        """So many more of these calls end so. Within 60 s, which is what one of them would wait for an answer."""
        before = {way: count(word, *way) for way in ways}
        wait_until(lambda: all(count(word, *way) >= before[way] + more for way in ways), seconds=55)

    go_on("ok", ways, 20)
    for name, node in nodes.items():
        node.kill()
        # Whoever calls it is told so at once, again and again; the others do not notice.
        go_on("failed", [way for way in ways if way[1] == name], 20)
        go_on("ok", [way for way in ways if name not in way], 20)
        node.start()
        go_on("ok", ways, 20)
    for node in nodes.values():
        node.kill()

    told = [entry for node in nodes.values() for entry in node.told["ok"]]
    assert len(set(told)) == len(told)
    assert not any(node.told["wrong"] for node in nodes.values())
    booked = {name: node.entries() for name, node in nodes.items()}
    for name, entries in booked.items():
        twice = [entry for entry, number in collections.Counter(entries).items() if number > 1]
        assert not twice, f"{name} has twice: {twice[:5]}"
        assert all(entry.startswith(f"{name} ") for entry in entries), f"{name} has what belongs elsewhere"
        lost = {entry for entry in told if entry.startswith(f"{name} ")} - set(entries)
        assert not lost, f"{name} lacks what its callers were told: {sorted(lost)[:5]}"
    # What no caller was told of is what was on its way when one of the two was killed: a handful.
    failed = {entry.split(":")[0] for node in nodes.values() for entry in node.told["failed"]}
    in_doubt = {entry for entries in booked.values() for entry in entries} - set(told)
    assert len(in_doubt - failed) <= 2 * 4 * len(nodes)
