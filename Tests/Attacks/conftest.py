"""Every test attacks a server while good clients call it; afterwards the server must be as it was."""

import time

import pytest

from good_clients import GoodClients
from target import CEILING_FACTOR, Target, wait_until

MEGABYTES = 48
CPU_SECONDS = 6


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """With the default limits."""
    target = Target(tmp_path_factory.mktemp("server"))
    yield target
    target.stop()


@pytest.fixture(scope="session")
def hasty_server(tmp_path_factory):
    """With timers of seconds where the defaults have tens of them."""
    timers = {"requestHead": 1, "bodyGrace": 1, "writeStall": 2, "idleHTTP1": 3, "idleHTTP2": 3, "lingeringClose": 0.5}
    target = Target(tmp_path_factory.mktemp("hasty"), timers=timers)
    yield target
    target.stop()


@pytest.fixture
def attacked(server, request):
    yield from under_attack(server, request)


@pytest.fixture
def hasty(hasty_server, request):
    yield from under_attack(hasty_server, request)


def under_attack(target: Target, request):
    mark = request.node.get_closest_marker("ceiling")
    megabytes = (mark.kwargs if mark else {}).get("megabytes", MEGABYTES)
    cpu_seconds = (mark.kwargs if mark else {}).get("cpu_seconds", CPU_SECONDS)
    with GoodClients(target.port) as good:
        assert wait_until(lambda: min(good.calls.values()) > 0 or good.failures), "good clients cannot even begin"
        target.forget_peak()
        before, cpu, began = target.memory("VmRSS"), target.cpu_seconds(), time.monotonic()
        calls = dict(good.calls)
        yield target
        assert target.process.poll() is None, target.log()[-2000:]
        used, grown = target.cpu_seconds() - cpu, target.memory("VmHWM") - before
        print(f"\n    {time.monotonic() - began:.1f} s, {used:.2f} s of CPU, {grown:+.1f} MB at the peak, good calls "
              f"{ {name: count - calls[name] for name, count in good.calls.items()} }")
        assert wait_until(lambda: min(good.calls[name] - calls[name] for name in calls) > 2 or good.failures)
    assert good.failures == []
    assert used <= cpu_seconds * CEILING_FACTOR, f"{used} s of CPU"
    assert grown <= megabytes * CEILING_FACTOR, f"{grown} MB"
    # Only the call that asks is left.
    assert wait_until(lambda: target.counters()["runningHandlers"] == 1), target.counters()
    assert wait_until(lambda: target.counters()["connections"] == 1), target.counters()
