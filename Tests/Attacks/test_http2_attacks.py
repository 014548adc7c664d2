"""Attacks over HTTP/2: rows of the table in docs/security.md. Frame names are those of RFC 9113."""

import struct

import pytest

import h2
from peer import Peer


def flood(target, data: bytes, reads: bool = True, seconds: float = 10) -> bytes:
    """Sends it all on one connection; what the server said until it closed or fell silent."""
    with Peer(target.port) as peer:
        peer.send(data, reads=reads, seconds=seconds)
        return peer.receive(seconds, until=lambda received: h2.goaways(received))


def ids(count: int):
    return range(1, 2 * count, 2)


def ended_streams(received: bytes) -> int:
    return sum(one.type == h2.HEADERS and one.flags & h2.END_STREAM for one in h2.frames(received))


# -------------------------------------------------------------------------------------- header blocks


def test_hpack_reference_bomb(attacked):
    """A value of 4,000 bytes, then references of one byte each over HEADERS and CONTINUATION (CVE-2016-6581)."""
    entry = h2.field("x", "v" * 4_000, indexed=True)
    bomb = b"".join(
        h2.frame(h2.HEADERS, 0, stream, h2.block(extra=entry if stream == 1 else b"") + b"\xbe" * 8_000)
        + h2.frame(h2.CONTINUATION, 0, stream, b"\xbe" * 16_000) * 6
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, b"\xbe" * 16_000)
        for stream in ids(300))
    before = attacked.hits("headerListByteCount")
    received = flood(attacked, h2.begin() + bomb)
    assert attacked.hits("headerListByteCount") > before
    assert h2.CALM in h2.resets(received) or h2.goaways(received)


def test_a_huge_field_is_not_kept(attacked):
    """64 KiB values on every stream: the header list limit resets each before anything is stored."""
    whole = h2.block(extra=h2.field("x", "v" * 64_000))
    pieces = [whole[at : at + 16_000] for at in range(0, len(whole), 16_000)]
    one = b"".join(
        h2.frame(h2.HEADERS, 0, stream, pieces[0])
        + b"".join(h2.frame(h2.CONTINUATION, 0, stream, piece) for piece in pieces[1:-1])
        + h2.frame(h2.CONTINUATION, h2.END_HEADERS, stream, pieces[-1])
        for stream in ids(150))
    before = attacked.hits("headerListByteCount")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + one + h2.call(301))
        peer.receive(10, until=ended_streams)
        assert h2.resets(peer.received) == [h2.CALM] * 150 and not h2.goaways(peer.received)
        assert ended_streams(peer.received) == 1
    assert attacked.hits("headerListByteCount") == before + 150


def test_huge_trailers(attacked):
    """The end of a request is held to the same limit."""
    before = attacked.hits("headerListByteCount")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + b"".join(
            h2.headers(stream, h2.block("Count")) + h2.data(stream, h2.message())
            + h2.headers(stream, h2.field("x", "v" * 9_000), h2.END_HEADERS | h2.END_STREAM) for stream in ids(100)))
        peer.receive(10, until=lambda received: len(h2.resets(received)) == 100)
        assert h2.resets(peer.received) == [h2.CALM] * 100 and not h2.goaways(peer.received)
    assert attacked.hits("headerListByteCount") == before + 100


def test_continuation_flood(attacked):
    """A header block without end (CVE-2024-28182)."""
    before = attacked.hits("continuationFrames")
    received = flood(
        attacked, h2.begin() + h2.frame(h2.HEADERS, 0, 1, h2.block())
        + h2.frame(h2.CONTINUATION, 0, 1, h2.field("a", "b")) * 100_000)
    assert h2.goaways(received)
    assert attacked.hits("continuationFrames") == before + 1


def test_huge_metadata(attacked):
    """200 fields of the user's own: more than headerFieldCount."""
    before = attacked.hits("headerFieldCount")
    fields = b"".join(h2.field(f"x-{n}", "y") for n in range(200))
    received = flood(attacked, h2.begin() + h2.headers(1, h2.block(extra=fields)), seconds=1)
    assert h2.resets(received) == [h2.CALM]
    assert attacked.hits("headerFieldCount") == before + 1


# ------------------------------------------------------------------------------------------- resets


def rapid_resets(count: int) -> list[bytes]:
    return [h2.headers(stream, h2.block("Stubborn")) + h2.data(stream, h2.message(), end=True) + h2.reset(stream)
            for stream in ids(count)]


def test_rapid_reset_in_one_buffer(attacked):
    """CVE-2023-44487. A stream that ends in the read it began in never starts a handler."""
    before = attacked.hits("receivedResetBurst"), attacked.counters()["startedStubborn"]
    received = flood(attacked, h2.begin() + b"".join(rapid_resets(5_000)))
    assert h2.goaways(received)
    assert attacked.hits("receivedResetBurst") == before[0] + 1
    assert attacked.counters()["startedStubborn"] - before[1] <= 128


def test_rapid_reset_pair_by_pair(attacked):
    """Slow enough that handlers start: those that run keep their places, so no more than 128 ever do."""
    before = attacked.counters()["startedStubborn"]
    with Peer(attacked.port) as peer:
        peer.send(h2.begin())
        for stream in ids(1_000):
            if peer.is_closed:
                break
            peer.send(h2.call(stream, "Stubborn"))
            peer.receive(0.001)
            peer.send(h2.reset(stream))
        peer.receive(5, until=lambda received: h2.goaways(received))
        assert h2.goaways(peer.received)
    assert 0 < attacked.counters()["startedStubborn"] - before <= 128


def test_reset_streams_keep_their_places(attacked):
    """GHSA-m425-mq94-257g: handlers that ignore cancellation count until they have returned. Below the reset limit."""
    before = attacked.counters()["startedStubborn"]
    with Peer(attacked.port) as peer:
        peer.send(h2.begin())
        for stream in ids(190):
            peer.send(h2.call(stream, "Stubborn"))
            peer.receive(0.002)
            peer.send(h2.reset(stream))
        # With the call that asks, and one of each good client.
        assert attacked.counters()["runningHandlers"] <= 131
        peer.receive(1, until=lambda received: len(h2.resets(received)) > 50)
        assert set(h2.resets(peer.received)) == {h2.REFUSED_STREAM}
    assert attacked.counters()["startedStubborn"] - before <= 128
    assert attacked.hits("concurrentStreams") > 0


def test_reset_flood_of_one_stream(attacked):
    before = attacked.hits("receivedResetBurst")
    received = flood(attacked, h2.begin() + h2.call(1) + h2.reset(1) * 100_000)
    assert len(h2.resets(received)) < 10 and h2.goaways(received)[-1:] == [h2.CALM]
    assert attacked.hits("receivedResetBurst") == before + 1


@pytest.mark.parametrize("fault", ["window overflow", "content-length"])
def test_made_you_reset(attacked, fault):
    """CVE-2025-8671: the client makes the server send the resets."""
    before = attacked.hits("sentResets")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin())
        for stream in ids(5_000):
            if fault == "window overflow":
                pair = h2.headers(stream) + h2.window_update(stream, 0x7FFFFFFF)
            else:
                pair = h2.headers(stream, h2.block(extra=h2.field("content-length", "1")))
                pair += h2.data(stream, b"more than one", end=True)
            peer.send(pair)
            if stream % 50 == 1:
                peer.receive(0.02)
        received = peer.receive(5, until=lambda received: h2.goaways(received))
    assert h2.goaways(received) == [h2.CALM]
    assert len(h2.resets(received)) <= 400
    assert attacked.hits("sentResets") == before + 1


# ----------------------------------------------------------------------------------- frames that cost


CONTROL_FLOODS = {
    "PING": h2.frame(h2.PING, payload=b"12345678"),
    "PING acknowledged": h2.frame(h2.PING, h2.ACK, payload=b"12345678"),
    "SETTINGS": h2.settings((4, 65_535)),
    "SETTINGS of the table size": h2.settings((1, 0)) + h2.settings((1, 4096)),
    "PRIORITY": h2.frame(h2.PRIORITY, stream=1, payload=struct.pack(">IB", 3, 1)),
    "unknown": h2.frame(0xEE, stream=1, payload=b"?"),
}


@pytest.mark.parametrize("name", CONTROL_FLOODS)
@pytest.mark.parametrize("reads", [True, False], ids=["reading", "not reading"])
def test_control_frame_floods(attacked, name, reads):
    """CVE-2019-9512, -9513, -9515: more than a budget ends the connection."""
    before = attacked.counters()["limitHits"]
    received = flood(attacked, h2.begin() + CONTROL_FLOODS[name] * 50_000, reads=reads)
    after = attacked.counters()["limitHits"]
    grown = [limit for limit, count in after.items() if count > before.get(limit, 0)]
    assert grown, "no limit acted"
    assert set(grown) <= {"controlFrames", "queuedFrames"}
    assert not received or not reads or h2.goaways(received)


def test_settings_with_thousands_of_entries(attacked):
    received = flood(attacked, h2.begin() + h2.settings(*[(3, n) for n in range(2_700)]))
    assert h2.goaways(received)
    assert attacked.hits("settingsEntries") > 0


def test_empty_data_flood(attacked):
    """CVE-2019-9518."""
    before = attacked.hits("emptyDataFrames")
    received = flood(attacked, h2.begin() + h2.headers(1, h2.block("Count")) + h2.data(1) * 50_000)
    assert h2.goaways(received) == [h2.CALM]
    assert attacked.hits("emptyDataFrames") == before + 1


def test_padding_only_data_flood(attacked):
    padded = h2.frame(h2.DATA, h2.PADDED, 1, b"\x09" + bytes(9))
    before = attacked.hits("emptyDataFrames")
    received = flood(attacked, h2.begin() + h2.headers(1, h2.block("Count")) + padded * 50_000)
    assert h2.goaways(received) == [h2.CALM]
    assert attacked.hits("emptyDataFrames") == before + 1


def test_window_update_flood(attacked):
    received = flood(attacked, h2.begin() + h2.window_update(0, 1) * 200_000)
    assert h2.goaways(received) == [h2.CALM]
    assert attacked.hits("windowUpdates") > 0


def test_pings_that_pay_for_themselves_are_no_attack(attacked):
    """Clients measure bandwidth with a PING for each answer (gRFC A8)."""
    with Peer(attacked.port) as peer:
        peer.send(h2.begin())
        for stream in ids(400):
            peer.send(h2.call(stream) + CONTROL_FLOODS["PING"])
            peer.receive(0.001)
        peer.receive(10, until=lambda received: received.count(b"\0\0\x08\x06\x01") >= 400)
        assert not h2.goaways(peer.received)
        assert len([one for one in h2.frames(peer.received) if one.type == h2.PING]) == 400


# ------------------------------------------------------------------- requests that are none, and broken frames


def request(stream: int, path: str | None = "/attack.Target/Unary", scheme: str = "http", authority: str = "x",
            extra: bytes = b"") -> bytes:
    """A call of Unary but for what is said."""
    fields = b"\x83" + h2.field(":scheme", scheme) + (h2.field(":path", path) if path is not None else b"")
    fields += h2.field(":authority", authority) + h2.field("content-type", "application/grpc") + extra
    return h2.headers(stream, fields) + h2.data(stream, h2.message(), end=True)


FORBIDDEN = {
    "te": h2.field("te", "gzip"), "connection": h2.field("connection", "close"),
    "transfer-encoding": h2.field("transfer-encoding", "chunked"), "upgrade": h2.field("upgrade", "h2c"),
    "an upper-case name": h2.field("X-Upper", "a"), "a name with a space": h2.field("x a", "b"),
    "CR LF in a value": h2.field("x", "a\r\nforged: b"), "NUL in a value": h2.field("x", "a\0b"),
    "another host": h2.field("host", "y"), "the host twice": h2.field("host", "x") * 2,
    "a pseudo field behind others": h2.field(":authority", "x"),
    "a pseudo field of answers": h2.field(":status", "200"), "an unknown pseudo field": h2.field(":x", "y"),
    "two lengths": h2.field("content-length", "5") * 2, "a length that is no number": h2.field("content-length", "5x"),
}
BAD_TARGETS = {
    "no slash": {"path": "attack.Target/Unary"}, "a star": {"path": "*"}, "a URI": {"path": "http://x/"},
    "no path": {"path": None}, "an empty path": {"path": ""}, "a space": {"path": "/attack.Target/Unary x"},
    "no slash under another scheme": {"path": "x/y", "scheme": "foo"}, "another scheme": {"scheme": "foo"},
    "the scheme of TLS": {"scheme": "https"}, "no authority": {"authority": ""}, "no host": {"authority": "a b"},
}


@pytest.mark.parametrize("fault", [{"extra": extra} for extra in FORBIDDEN.values()] + list(BAD_TARGETS.values()),
                         ids=[*FORBIDDEN, *BAD_TARGETS])
def test_requests_that_are_none(attacked, fault):
    """100 of them, fewer than `sentResets`: each is reset, no handler runs, and a good one between them is served."""
    with Peer(attacked.port) as peer:
        peer.send(h2.begin())
        for stream in ids(101):
            peer.send(request(stream) if stream == 101 else request(stream, **fault), reads=False)
        received = peer.receive(10, until=lambda received: len(h2.resets(received)) == 100 and ended_streams(received))
        assert h2.resets(received) == [h2.PROTOCOL_ERROR] * 100 and not h2.goaways(received)
        answered = {one.stream for one in h2.frames(received) if one.type == h2.HEADERS}
        assert answered == {101}


def test_white_space_around_a_value_is_no_fault(attacked):
    """nghttp2 would reset the stream; clients and proxies send it."""
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + request(1, extra=h2.field("x", " \t a \t")))
        received = peer.receive(10, until=ended_streams)
        assert ended_streams(received) == 1 and not h2.resets(received)


BROKEN_FRAMES = {
    "WINDOW_UPDATE of 0": h2.window_update(0, 0), "WINDOW_UPDATE beyond the window": h2.window_update(0, 0x7FFFFFFF),
    "PUSH_PROMISE": h2.headers(1) + h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, struct.pack(">I", 2) + h2.block()),
    "PING of 7 bytes": h2.frame(h2.PING, payload=b"1234567"),
    "SETTINGS of 5 bytes": h2.frame(h2.SETTINGS, payload=b"12345"),
    "a window beyond 31 bits": h2.settings((4, 0x80000000)),
    "CONTINUATION of nothing": h2.frame(h2.CONTINUATION, 4, 1),
    "DATA of no stream": h2.data(1, h2.message()), "a stream of the server's": h2.headers(2),
    "a frame of 16 MiB": h2.headers(1) + b"\xff\xff\xff\0\0\0\0\0\1",
    "padding beyond the frame": h2.headers(1) + h2.frame(h2.DATA, h2.PADDED, 1, b"\x09abc"),
    "a frame inside of a header block": h2.frame(h2.HEADERS, 0, 1, h2.block()) + h2.frame(h2.PING, payload=b"12345678"),
    "HPACK index 0": h2.headers(1, b"\x80"), "an HPACK integer without end": h2.headers(1, b"\0\x7f" + b"\xff" * 20),
    "HPACK table of 64 KiB": h2.headers(1, b"\x3f\xe1\xff\x03" + h2.block()),
}


@pytest.mark.parametrize("name", BROKEN_FRAMES)
def test_broken_frames(attacked, name):
    """The connection ends with GOAWAY and a reason; what follows is not served. 50 connections."""
    for _ in range(50):
        with Peer(attacked.port) as peer:
            peer.send(h2.begin() + BROKEN_FRAMES[name] + h2.call(9))
            received = peer.receive(10)
            assert peer.is_closed
            assert len(h2.goaways(received)) == 1 and h2.goaways(received) != [h2.NO_ERROR]
            assert not ended_streams(received)


# ------------------------------------------------------------------------------------- gRPC messages


@pytest.mark.ceiling(megabytes=24)
def test_four_gigabytes_declared(attacked):
    """CVE-2021-36155: the length prefix allocates nothing."""
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + b"".join(
            h2.headers(stream) + h2.data(stream, b"\0\xff\xff\xff\xff" + bytes(100)) for stream in ids(100)))
        peer.receive(5, until=lambda received: ended_streams(received) == 100)
        assert ended_streams(peer.received) == 100


def test_a_thousand_messages_in_one_data_frame(attacked):
    """CVE-2021-36154: a loop, not recursion."""
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + h2.headers(1, h2.block("Count")))
        for _ in range(10):
            peer.send(h2.data(1, h2.message() * 1_000))
        peer.send(h2.data(1, end=True))
        peer.receive(5, until=ended_streams)
        body = b"".join(one.payload for one in h2.frames(peer.received) if one.type == h2.DATA)
        assert body == h2.number(10_000)


def test_messages_byte_by_byte(attacked):
    body = h2.message(b"\x0a\x05hello")
    with Peer(attacked.port) as peer:
        peer.send(h2.begin() + h2.headers(1) + b"".join(h2.data(1, bytes([byte])) for byte in body)
                  + h2.data(1, end=True))
        peer.receive(5, until=ended_streams)
        assert b"".join(one.payload for one in h2.frames(peer.received) if one.type == h2.DATA) == body


# --------------------------------------------------------------------------------------- slow peers


@pytest.mark.parametrize("begin", [
    h2.PREFACE[:10], h2.PREFACE, h2.begin() + h2.frame(h2.HEADERS, 0, 1, h2.block()), h2.begin() + h2.headers(1)[:12],
], ids=["half a preface", "no settings", "no CONTINUATION", "half a header block"])
def test_heads_that_never_end(hasty, begin):
    before = hasty.hits("requestHead")
    with Peer(hasty.port) as peer:
        peer.send(begin)
        peer.receive(8)
        assert peer.is_closed
    assert hasty.hits("requestHead") == before + 1


def test_idle_connections_end(hasty):
    with Peer(hasty.port) as peer:
        peer.send(h2.begin() + h2.call(1))
        peer.receive(8)
        assert peer.is_closed and h2.goaways(peer.received) == [h2.NO_ERROR]
