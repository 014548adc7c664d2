"""What there is only so much of: connections, handlers, descriptors. Each test starts a server with small limits."""

import contextlib
import threading
import time

import grpc
import h2
from good_clients import GoodClients
from peer import Peer
from target import CEILING_FACTOR, Target, wait_until
from test_http1_attacks import post
from test_http2_attacks import ended_streams


@contextlib.contextmanager
def serving(folder, **arguments):
    target = Target(folder, **arguments)
    try:
        yield target
    finally:
        target.stop()


def is_open(peer):
    peer.receive(0)
    return not peer.is_closed


def test_connections_of_one_address(tmp_path):
    """The good clients' connections were there first and stay."""
    with serving(tmp_path, limits={"connectionsPerAddress": 20}) as target, GoodClients(target.port) as good:
        assert wait_until(lambda: min(good.calls.values()) > 0)
        peers = [Peer(target.port) for _ in range(500)]
        assert wait_until(lambda: sum(is_open(peer) for peer in peers) <= 18)
        calls = dict(good.calls)
        assert wait_until(lambda: all(good.calls[name] > calls[name] + 5 for name in calls))
        for peer in peers:
            peer.socket.close()
        assert wait_until(lambda: Peer(target.port).receive(0.1) == b"")
        assert target.hits("connectionsPerAddress") >= 480
    assert good.failures == []
    assert target.log().count("connection refused") < 200, "the log is limited too"


def test_connections_in_total(tmp_path):
    with serving(tmp_path, limits={"connections": 10, "connectionsPerAddress": -1}) as target:
        with GoodClients(target.port) as good:
            assert wait_until(lambda: min(good.calls.values()) > 0)
            peers = [Peer(target.port) for _ in range(100)]
            assert wait_until(lambda: sum(bool(peer.receive(0) or peer.is_closed) for peer in peers) >= 90)
            for peer in peers:
                peer.socket.close()
            assert wait_until(lambda: target.counters()["limitHits"].get("connections", 0) >= 90)
        assert good.failures == []


def test_handler_slots(tmp_path):
    """Slots that stubborn handlers hold are given back when they have returned; until then others are told to retry."""
    with serving(tmp_path, limits={"runningHandlers": 20}) as target:
        with Peer(target.port) as peer:
            peer.send(h2.begin() + b"".join(h2.call(stream, "Stubborn") for stream in range(1, 60, 2)))
            peer.receive(1, until=lambda received: len(h2.resets(received)) == 10)
            assert h2.resets(peer.received) == [h2.REFUSED_STREAM] * 10
            with Peer(target.port) as other:
                other.send(post())
                other.receive(5)
                assert other.received.startswith(b"HTTP/1.1 503 ") and b"HTTPLimits.runningHandlers" in other.received
        # The peer has gone, its handlers have not.
        assert wait_until(lambda: slots_are_free(target))
        assert target.hits("runningHandlers") >= 10


def slots_are_free(target) -> bool:
    with Peer(target.port) as peer:
        peer.send(post(extra=["connection: close"]))
        return peer.receive(2).startswith(b"HTTP/1.1 200 ")


def cpu_per_call(target, good) -> float:
    cpu, calls = target.cpu_seconds(), sum(good.calls.values())
    time.sleep(2)
    return (target.cpu_seconds() - cpu) / max(1, sum(good.calls.values()) - calls)


def test_descriptors(tmp_path):
    """EMFILE: accepting pauses instead of spinning, connections that are there are served, and it recovers."""
    with serving(tmp_path, descriptors=64, limits={"connectionsPerAddress": -1}) as target:
        with GoodClients(target.port) as good:
            assert wait_until(lambda: min(good.calls.values()) > 0)
            usual = cpu_per_call(target, good)
            peers = [Peer(target.port) for _ in range(200)]
            time.sleep(0.5)
            calls = dict(good.calls)
            # The good clients call as fast as they can: only what a call costs tells whether the server spins.
            assert cpu_per_call(target, good) < 3 * usual, "it spins"
            assert all(good.calls[name] > calls[name] + 5 for name in calls)
            for peer in peers:
                peer.socket.close()
            assert wait_until(lambda: slots_are_free(target))
        assert good.failures == []


def test_connections_that_become_old(tmp_path):
    """A drained connection loses no call: GOAWAY twice, and HTTP/1.1 says close."""
    with serving(tmp_path, timers={"connectionAge": 1, "connectionAgeGrace": 3}) as target:
        with Peer(target.port) as peer:
            peer.send(h2.begin() + h2.call(1, "Stubborn"))
            peer.receive(8)
            assert peer.is_closed and h2.goaways(peer.received) == [h2.NO_ERROR] * 2
        with Peer(target.port) as peer:
            peer.send(post())
            peer.receive(8)
            assert peer.is_closed and peer.received.startswith(b"HTTP/1.1 200 ")


def test_calls_that_outlive_an_old_connection(tmp_path):
    """What has not ended connectionAgeGrace after the notice is cancelled; new connections are served meanwhile."""
    with serving(tmp_path, timers={"connectionAge": 1, "connectionAgeGrace": 3}) as target:
        with Peer(target.port) as peer, Peer(target.port) as other:
            peer.send(h2.begin() + h2.headers(1, h2.block("Count")))
            other.send(post("Count", body=None, extra=["transfer-encoding: chunked"]))
            assert slots_are_free(target)
            peer.receive(10)
            other.receive(10)
            assert peer.is_closed and other.is_closed
            assert h2.goaways(peer.received) == [h2.NO_ERROR] * 2 and not ended_streams(peer.received)
        assert target.hits("connectionAgeGrace") == 2
        assert wait_until(lambda: target.counters()["runningHandlers"] == 1)


def test_peers_that_do_not_go(tmp_path):
    """They have been told that it is over, and keep their end open: lingeringClose is how long."""
    with serving(tmp_path, timers={"lingeringClose": 0.5}) as target:
        peers = [Peer(target.port) for _ in range(20)]
        for number, peer in enumerate(peers):
            peer.send(b"nonsense\r\n\r\n" if number % 2 else h2.begin() + h2.window_update(0, 0))
        for peer in peers:
            peer.receive(10)
            assert peer.is_closed and peer.received
        assert wait_until(lambda: target.counters()["connections"] == 1)
        for peer in peers:
            peer.socket.close()


KEEPALIVE = {"keepaliveInterval": 0.5, "keepaliveTimeout": 1}


def test_peers_that_answer_no_ping(tmp_path):
    """Gone without a goodbye, or hung: what they hold is given back; peers that answer, grpcio among them, stay."""
    with serving(tmp_path, timers=KEEPALIVE) as target, GoodClients(target.port) as good:
        with grpc.insecure_channel(f"127.0.0.1:{target.port}") as channel, Peer(target.port) as answering:
            silence = threading.Event()
            count = channel.stream_unary("/attack.Target/Count").future(iter(silence.wait, True))
            answering.send(h2.begin() + h2.headers(1, h2.block("Count")))
            assert wait_until(lambda: target.counters()["runningHandlers"] >= 3)
            peers = [Peer(target.port) for _ in range(20)]
            for peer in peers:
                peer.send(h2.begin() + h2.headers(1, h2.block("Count")))
            for _ in range(5):
                pings = len(h2.pings(answering.received))
                answering.receive(10, until=lambda received: len(h2.pings(received)) > pings)
                for one in h2.pings(answering.received)[pings:]:
                    answering.send(h2.frame(h2.PING, h2.ACK, 0, one))
            for peer in peers:
                peer.receive(10)
                assert peer.is_closed and len(h2.pings(peer.received)) == 1
                assert h2.goaways(peer.received) == [h2.NO_ERROR]
            assert target.hits("keepaliveTimeout") == 20
            assert wait_until(lambda: target.counters()["runningHandlers"] in (3, 4)), target.counters()
            answering.send(h2.data(1, h2.message(), end=True))
            answering.receive(10, until=lambda received: ended_streams(received))
            assert not count.done()
            silence.set()
            assert count.result(timeout=10) == b""
        assert target.hits("keepaliveTimeout") == 20
    assert good.failures == []


def test_a_slow_reader_that_says_nothing(tmp_path):
    """With a huge window it has nothing to say for a long time, and gets to a PING only behind all that waits."""
    with serving(tmp_path, timers=KEEPALIVE) as target:
        with Peer(target.port, receive_buffer=64 * 1024) as peer:
            peer.send(h2.begin((4, 0x7FFFFFFF)) + h2.window_update(0, 0x7FFF0000)
                      + h2.call(1, "Pour", h2.number(2_000)), reads=False)
            end, taken = time.monotonic() + 6, 0
            while time.monotonic() < end:
                time.sleep(0.05)
                with contextlib.suppress(BlockingIOError):
                    piece = peer.socket.recv(256 * 1024)
                    assert piece, "closed"
                    taken += len(piece)
            assert 0 < taken < 30_000_000, "it took everything: not slow"
            assert target.hits("keepaliveTimeout") == 0
        assert wait_until(lambda: target.counters()["connections"] == 1)


def test_thousands_of_short_connections(tmp_path):
    """Nothing is left of them."""
    with serving(tmp_path) as target:
        for _ in range(20):
            slots_are_free(target)
        descriptors, memory = target.descriptors(), target.memory("VmRSS")
        for number in range(1_000):
            peer = Peer(target.port)
            peer.send(post(extra=["connection: close"]) if number % 2 else h2.begin() + h2.call(1), reads=False)
            if number % 3:
                peer.vanish()
            else:
                peer.receive(0.01)
                peer.socket.close()
        assert wait_until(lambda: target.counters()["connections"] == 1)
        assert target.descriptors() <= descriptors + 1
        assert target.memory("VmRSS") - memory < 32 * CEILING_FACTOR
