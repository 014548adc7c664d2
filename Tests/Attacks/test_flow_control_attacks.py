"""Attacks by what a peer does not take: windows that stay shut, sockets that nobody reads (RFC 9113 section 5.2)."""

import time

import pytest

import h2
from peer import Peer
from target import wait_until
from test_http2_attacks import ended_streams, flood, ids


def test_a_window_that_stays_shut(hasty):
    """CVE-2019-9511, -9517: answers that nobody takes; the connection ends after writeStall."""
    before = hasty.hits("writeStall")
    with Peer(hasty.port) as peer:
        peer.send(h2.begin((4, 0)))
        peer.send(b"".join(h2.call(stream, "Pour", h2.number(10_000)) for stream in ids(100)))
        peer.receive(10)
        assert peer.is_closed and h2.goaways(peer.received) == [h2.CALM]
    assert hasty.hits("writeStall") == before + 1


def test_a_window_of_one_byte_at_a_time(hasty):
    """Data dribble: a byte now and then is next to nothing, and ends like nothing."""
    before = hasty.hits("writeStall")
    with Peer(hasty.port) as peer:
        peer.send(h2.begin((4, 0)) + h2.call(1, "Pour", h2.number(10_000)))
        end = time.monotonic() + 10
        while not peer.is_closed and time.monotonic() < end:
            peer.send(h2.window_update(1, 1))
            peer.receive(0.05)
        assert peer.is_closed
    assert hasty.hits("writeStall") == before + 1


def test_shut_windows_at_the_deadline(attacked):
    """T6: what is queued would wait for ever, since the connection's other streams go on; lingeringClose ends it."""
    before = attacked.hits("lingeringClose")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin((4, 0)))
        for stream in ids(100):
            fields = h2.block("Pour", h2.field("grpc-timeout", "200m"))
            peer.send(h2.headers(stream, fields) + h2.data(stream, h2.number(10_000), end=True))
        end = time.monotonic() + 15
        for stream in range(201, 2_000, 2):
            # A good call after the other, all the time.
            peer.send(h2.call(stream) + h2.window_update(stream, 100))
            peer.receive(0.1)
            # On a busy machine the deadline of some passes before their handlers begin: nothing but a status.
            early = sum(one.type == h2.HEADERS and one.flags & h2.END_STREAM and one.stream < 201
                        for one in h2.frames(peer.received))
            if len(h2.resets(peer.received)) + early == 100 or time.monotonic() > end:
                break
        assert early < 90 and h2.resets(peer.received) == [h2.CANCEL] * (100 - early)
        assert not h2.goaways(peer.received)
        good = (stream - 199) // 2 + early
        peer.receive(10, until=lambda received: ended_streams(received) == good)
        assert ended_streams(peer.received) == good, "no status but theirs"
    assert attacked.hits("lingeringClose") == before + 100 - early


@pytest.mark.ceiling(megabytes=64)
def test_answers_that_nobody_takes_are_bounded(attacked):
    """Unary answers wait whole: beyond unsentConnectionByteCount new requests are refused."""
    before = attacked.hits("unsentConnectionByteCount")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin((4, 0)))
        for stream in ids(100):
            peer.send(h2.call(stream, "Large", h2.number(1_000_000)))
            peer.receive(0.01)
        assert h2.REFUSED_STREAM in h2.resets(peer.received)
    assert attacked.hits("unsentConnectionByteCount") > before


def test_a_socket_that_nobody_reads(hasty):
    before = hasty.hits("writeStall")
    with Peer(hasty.port, receive_buffer=4096) as peer:
        peer.send(h2.begin((4, 0x7FFFFFFF)) + h2.window_update(0, 0x7FFF0000)
                  + b"".join(h2.call(stream, "Pour", h2.number(10_000)) for stream in ids(100)), reads=False)
        assert wait_until(lambda: hasty.hits("writeStall") > before)


def test_body_beyond_the_window(attacked):
    """A sender that ignores flow control is a protocol error."""
    body = b"".join(h2.data(1, bytes(16_000)) for _ in range(400))
    received = flood(attacked, h2.begin() + h2.headers(1, h2.block("Stubborn")) + body, seconds=1)
    assert h2.goaways(received) or h2.resets(received)
