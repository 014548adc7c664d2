"""Several silos as processes: calls land where they belong, whatever is killed meanwhile."""

import http.client
import json
import os
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from gateway import BINARY, CHECKOUT
from silos import CELLS, MAPPING, SCM, Silos, wait_until

# Field numbers of silo.v1.OrganizationMapping: enough protobuf for these messages.


def text_field(number: int, text: str) -> bytes:
    return bytes([number << 3 | 2, len(text)]) + text.encode()


def fields_of(message: bytes) -> list[tuple[int, int | bytes]]:
    fields, place = [], 0

    def varint() -> int:
        nonlocal place
        value, shift = 0, 0
        while True:
            byte = message[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(message):
        tag = varint()
        value = varint()
        if tag & 7 == 2:
            value, place = message[place : place + value], place + value
        fields.append((tag >> 3, value))
    return fields


@pytest.fixture(scope="module")
def silos(tmp_path_factory):
    with Silos(tmp_path_factory.mktemp("silos")) as silos:
        yield silos


def names(answer: dict) -> list[str]:
    return [row["name"] for row in answer.get("repositories", [])]


def create(silos, slug: str, idempotency_key: str, key: str = "us1-control"):
    """An organization, asked for by us1: OrganizationMappingService.Create."""
    body = text_field(1, slug) + text_field(2, "eu1")
    headers = silos.sign(key, silos.control, MAPPING + "Create", body, {"x-silo-idempotency-key": idempotency_key})
    return silos.control.post(MAPPING + "Create", body, headers)


def test_calls_to_control_are_answered_by_the_cell_of_the_organization(silos, organizations):
    for cell, (_, key) in organizations.items():
        status, answer = silos.control.repositories(key)
        assert (status, names(answer)) == (200, [f"in-{cell}"])


def test_a_cell_refuses_what_lives_in_another_one(silos, organizations):
    status, answer = silos.all["eu1"].repositories(organizations["us1"][1])
    assert status >= 400 and "repositories" not in answer


def test_control_and_cells_refuse_calls_without_a_key(silos, organizations):
    for silo in silos.all.values():
        assert silo.repositories("scm_" + "x" * 43)[0] == 401


def test_silos_check_each_other(silos, organizations):
    for silo in silos.all.values():
        done = silo.run("silo", "check", check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "organization_mapping.Create" in silos.control.run("silo", "methods").stdout


def test_a_signature_of_another_program_is_understood_and_a_replay_is_not(silos):
    body = text_field(1, "signed-elsewhere")
    headers = silos.sign("us1-control", silos.control, MAPPING + "GetBySlug", body, {"x-silo-request-id": "1"})
    assert silos.control.post(MAPPING + "GetBySlug", body, headers)[0] == 200
    status, _, answer = silos.control.post(MAPPING + "GetBySlug", body, headers)
    assert status == 401 and b"REPLAYED" in answer
    for wrong in [{}, {"authorization": "Bearer x"}]:
        assert silos.control.post(MAPPING + "GetBySlug", body, {"content-type": "application/proto", **wrong})[0] == 401


def test_a_cell_asks_control_for_what_is_installed(silos, organizations):
    cell, (_, key) = silos.all["us1"], organizations["us1"]
    headers = {"content-type": "application/json", "x-api-key": key}
    status, _, answer = cell.post(SCM + "ListIntegrations", b"{}", headers)
    assert (status, json.loads(answer)) == (200, {})


def test_switches_and_keys_change_while_everything_runs(silos, organizations):
    silos.make_key("us1-control-new")
    count = silos.control.log.count("read again")
    silos.write_config(switches=[{"method": "organization_mapping.Create", "disabled": True, "reason": "moving"}])
    silos.control.process.send_signal(1)
    wait_until(lambda: silos.control.log.count("read again") > count)
    status, _, answer = create(silos, "switched-off", "switch-1")
    assert status == 503 and b"moving" in answer
    silos.write_config()
    silos.control.process.send_signal(1)
    wait_until(lambda: silos.control.log.count("read again") > count + 1)
    assert create(silos, "switched-on", "switch-2", key="us1-control-new")[0] == 200
    assert silos.secrets["us1-control-new"] not in silos.control.log


def test_a_cell_that_starts_before_control_ever_ran(tmp_path):
    """It says so, refuses who it does not know, and has everything as soon as there is a control."""
    silos = Silos(tmp_path)
    us1 = silos.all["us1"]
    try:
        us1.start()
        wait_until(lambda: "not up to date" in us1.log)
        assert us1.repositories("scm_" + "x" * 43)[0] == 401
        done = us1.run("silo", "check", check=False)
        assert done.returncode == 1 and "WRONG control: cannot connect" in done.stdout
        silos.control.start()
        _, key = silos.add_organization("late", "us1")
        status, answer = us1.repositories(key)
        assert (status, names(answer)) == (200, ["late"])
    finally:
        silos.stop()


def test_a_key_is_changed_under_load_and_no_call_is_refused(silos, organizations):
    """us1 asks control with a key of its own at each of these calls."""
    us1, key = silos.all["us1"], organizations["us1"][1]
    headers = {"content-type": "application/json", "x-api-key": key}
    stopped, statuses = threading.Event(), []

    def ask():
        while not stopped.is_set():
            statuses.append(us1.post(SCM + "ListIntegrations", b"{}", headers)[0])

    def asked() -> int:
        return len(statuses)

    config = json.loads(silos.config.read_text())
    others = [key for key in config["keys"] if key["source"] != "cell:us1"]
    old, new = ({"id": name, "source": "cell:us1", "audience": "control", "secretFile": name}
                for name in ["us1-control", "us1-control-next"])
    silos.make_key("us1-control-next")
    try:
        with ThreadPoolExecutor(4) as pool:
            jobs = [pool.submit(ask) for _ in range(4)]
            try:
                for number, keys in enumerate([[old, new], [new, old], [new], [new, old], [old, new], [old]]):
                    silos.write_config(keys=others + keys)
                    # Either side may be the first.
                    for silo in [us1, silos.control] if number % 2 else [silos.control, us1]:
                        silo.reload()
                        count = asked()
                        wait_until(lambda: asked() > count + 8)
            finally:
                stopped.set()
            for job in jobs:
                job.result(timeout=60)
    finally:
        del silos.secrets["us1-control-next"]
        silos.write_config()
        for silo in [silos.control, us1]:
            silo.reload()
    assert set(statuses) == {200}, f"{len(statuses)} calls"


class Load:
    """Calls of many threads, and what became of them."""

    def __init__(self, silos, organizations):
        self.silos, self.organizations = silos, organizations
        self.stopped = threading.Event()
        self.problems: list[str] = []
        self.good: dict[str, int] = {}
        self.created: dict[str, int] = {}
        self.lock = threading.Lock()

    def count(self, name: str):
        with self.lock:
            self.good[name] = self.good.get(name, 0) + 1

    def guarded(self, work):
        while not self.stopped.is_set():
            try:
                work()
            except TimeoutError:
                self.problems.append("a call hung")
            except (OSError, http.client.HTTPException, json.JSONDecodeError):
                # Nobody listens at the moment, or went away: fast, and said so.
                time.sleep(0.02)

    def read(self, silo, cell: str):
        """Right, refused or broken off; never what another cell has."""
        status, answer = silo.repositories(self.organizations[cell][1])
        if status == 200:
            if names(answer) != [f"in-{cell}"]:
                self.problems.append(f"{silo.name} answered {answer} for in-{cell}")
            self.count(f"{silo.name} {cell}")
        else:
            time.sleep(0.02)

    def probe(self, cell: str, other: str):
        status, answer = self.silos.all[other].repositories(self.organizations[cell][1])
        if status == 200:
            self.problems.append(f"{other} answered {answer} for in-{cell}")
        time.sleep(0.02)

    def write(self, thread: int):
        """One organization, asked for again with the same key until there is an answer."""
        number = 0
        while not self.stopped.is_set():
            number += 1
            slug = f"load-{thread}-{number}"
            while True:
                try:
                    status, _, answer = create(self.silos, slug, f"key-{slug}")
                except TimeoutError:
                    self.problems.append("a call hung")
                    return
                except (OSError, http.client.HTTPException):
                    time.sleep(0.02)
                    continue
                if status == 200:
                    self.created[slug] = dict(fields_of(answer))[1]
                    time.sleep(0.1)
                    break
                if json.loads(answer)["code"] not in ("unavailable", "aborted"):
                    self.problems.append(f"{slug}: {status} {answer}")
                    return
                time.sleep(0.02)


def rows(silos) -> list[tuple[str, int]]:
    """Slug and id of all organizations that control knows."""
    headers = silos.sign("us1-control", silos.control, MAPPING + "ListChanges", b"", {})
    status, _, answer = silos.control.post(MAPPING + "ListChanges", b"", headers)
    assert status == 200, answer
    mappings = [dict(fields_of(value)) for number, value in fields_of(answer) if number == 1]
    return [(mapping[2].decode(), mapping[1]) for mapping in mappings]


def test_every_silo_is_killed_under_load(silos, organizations):
    """No answer of a wrong cell, nothing lost, nothing done twice, nothing hangs, and all comes back by itself."""
    load = Load(silos, organizations)
    works = [lambda cell=cell: load.read(silos.control, cell) for cell in CELLS]
    works += [lambda cell=cell: load.read(silos.all[cell], cell) for cell in CELLS]
    works += [lambda: load.probe("us1", "eu1"), lambda: load.probe("eu1", "us1")]
    everything = {f"{silo} {cell}" for cell in CELLS for silo in ("control", cell)}

    def moves_on(wanted):
        """All of these go on from now."""
        with load.lock:
            before = dict(load.good)
        wait_until(lambda: all(load.good.get(name, 0) > before.get(name, 0) + 2 for name in wanted))

    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(load.guarded, work) for work in works] + [pool.submit(load.write, n) for n in range(2)]
        try:
            moves_on(everything)
            for name in ["control", *CELLS]:
                silos.all[name].kill()
                # The others do not stop for it: cells without control, control with the other cell.
                moves_on({good for good in everything if name not in good})
                silos.all[name].start()
                moves_on(everything)
        finally:
            load.stopped.set()
        for job in jobs:
            job.result(timeout=60)
    assert load.problems == []
    made = rows(silos)
    for slug, organization in load.created.items():
        assert made.count((slug, organization)) == 1 and [row[0] for row in made].count(slug) == 1
    assert len(load.created) > 10
    assert len([row for row in made if row[0].startswith("load-")]) == len(load.created)


def test_the_quickstart_shows_what_it_promises(tmp_path):
    command = [CHECKOUT / "scripts/quickstart-silos", "--once", "--data-folder", tmp_path]
    environment = {**os.environ, "SCM_GATEWAY_BINARY": str(BINARY)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith("done") and "WRONG" not in done.stdout
