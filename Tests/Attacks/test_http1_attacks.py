"""Attacks over HTTP/1.1: rows of the table in docs/security.md."""

import socket
import struct
import time

import pytest

from peer import Peer
from target import wait_until

PATH = "/attack.Target/"
EMPTY = struct.pack(">BI", 0, 0)


def post(method: str = "Unary", body: bytes | None = EMPTY, extra: list[str] = ()) -> bytes:
    """A gRPC-Web call; `body` None leaves out the length too."""
    lines = [f"POST {PATH}{method} HTTP/1.1", "host: x", "content-type: application/grpc-web+proto", *extra]
    if body is not None:
        lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def exchange(target, data: bytes, seconds: float = 5) -> bytes:
    """What comes back until the server closes."""
    with Peer(target.port) as peer:
        peer.send(data)
        peer.receive(seconds)
        assert peer.is_closed, peer.received
        return peer.received


def answers(received: bytes) -> int:
    return received.count(b"HTTP/1.1 200 OK\r\n")


# ------------------------------------------------------------------------------ two readings of one request

SMUGGLING = {
    "CL and TE": ["content-length: 5", "transfer-encoding: chunked"],
    "TE and CL": ["transfer-encoding: chunked", "content-length: 5"],
    "two lengths": ["content-length: 5", "content-length: 6"],
    "the same length twice": ["content-length: 5", "content-length: 5"],
    "a list of lengths": ["content-length: 5, 5"],
    "a signed length": ["content-length: +5"],
    "a hexadecimal length": ["content-length: 0x5"],
    "a length with space": ["content-length: 5 5"],
    "a length beyond 64 bits": ["content-length: 18446744073709551621"],
    "no length value": ["content-length:"],
    "TE twice": ["transfer-encoding: chunked", "transfer-encoding: chunked"],
    "TE with identity": ["transfer-encoding: identity, chunked"],
    "TE not last": ["transfer-encoding: chunked, gzip"],
    "TE misspelled": ["transfer-encoding: xchunked"],
    "TE quoted": ['transfer-encoding: "chunked"'],
    "TE with a tab before the colon": ["transfer-encoding\t: chunked"],
    "space before the colon": ["content-length : 5"],
    "a space before the name": [" content-length: 5"],
    "obs-fold": ["x: a", " b"],
    "obs-fold of TE": ["transfer-encoding:", " chunked"],
    "bare CR in a value": ["x: a\rtransfer-encoding: chunked"],
    "bare LF in a value": ["x: a\ncontent-length: 5"],
    "NUL in a value": ["x: a\0b"],
    "two hosts": ["host: y"],
    "a header without name": [": x"],
    "a header without colon": ["content-length 5"],
    "a control byte in a name": ["x\x01y: z"],
    "underscore dash": ["content-length\x0b: 5"],
}


@pytest.mark.parametrize("name", SMUGGLING)
def test_smuggling(attacked, name):
    """Refused with 400 and the connection closed: what follows is never read as a second request."""
    received = exchange(attacked, post(body=None, extra=SMUGGLING[name]) + EMPTY + post() + post())
    assert received.startswith(b"HTTP/1.1 400 "), received
    assert received.count(b"HTTP/1.1 ") == 1 and b"connection: close" in received


WRONG_LINES = {
    "bare LF after the request line": b"POST / HTTP/1.1\nhost: x\r\n\r\n",
    "bare LF everywhere": b"POST / HTTP/1.1\nhost: x\n\n",
    "bare LF at the end of the head": b"POST / HTTP/1.1\r\nhost: x\r\n\n",
    "bare CR": b"POST / HTTP/1.1\rhost: x\r\n\r\n",
    "no host": b"POST / HTTP/1.1\r\n\r\n",
    "two spaces": b"POST  / HTTP/1.1\r\nhost: x\r\n\r\n",
    "a tab": b"POST\t/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "no version": b"POST /\r\nhost: x\r\n\r\n",
    "lower-case version": b"POST / http/1.1\r\nhost: x\r\n\r\n",
    "a space in the path": b"POST /a b HTTP/1.1\r\nhost: x\r\n\r\n",
    "a control byte in the path": b"POST /\x01 HTTP/1.1\r\nhost: x\r\n\r\n",
    "a path without slash": b"POST a/b HTTP/1.1\r\nhost: x\r\n\r\n",
    "a user in the target": b"POST http://u@x/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "a target that is not the host": b"POST http://y/ HTTP/1.1\r\nhost: x\r\n\r\n",
    "TE in HTTP/1.0": b"POST / HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_heads_that_are_not_http(attacked, name):
    received = exchange(attacked, WRONG_LINES[name] + post())
    assert received.startswith(b"HTTP/1.1 400 ") and received.count(b"HTTP/1.1 ") == 1


WRONG_CHUNKS = {
    "a size of 9 digits": b"000000005\r\n",
    "a size that overflows": b"FFFFFFFFFFFFFFFFF\r\n",
    "a negative size": b"-5\r\n",
    "a prefix": b"0x5\r\n",
    "a space": b" 5\r\n",
    "no size": b"\r\n",
    "bare LF": b"5\n\0\0\0\0\0\r\n",
    "bare LF after the data": b"5\r\n\0\0\0\0\0\n",
    "data longer than the size": b"5\r\n\0\0\0\0\0\0\r\n",
    "a control byte in the extension": b"5;a=\x01\r\n",
    "bare CR in the extension": b"5;a=\rb\r\n",
    "an extension of 300 bytes": b"5;" + b"a" * 300 + b"\r\n",
    "an extension without end": b"5;" + b"a" * 100_000,
    "a trailer that is no header": b"0\r\nx y\r\n\r\n",
}


@pytest.mark.parametrize("name", WRONG_CHUNKS)
def test_chunks_that_are_not_chunks(attacked, name):
    received = exchange(attacked, post(body=None, extra=["transfer-encoding: chunked"]) + WRONG_CHUNKS[name] + post())
    assert received.count(b"HTTP/1.1 ") <= 1
    assert b"grpc-status: 0" not in received


@pytest.mark.parametrize("name", WRONG_CHUNKS)
def test_chunks_that_are_not_chunks_are_the_callers_mistake(attacked, name):
    """A unary Connect call says so with its HTTP status."""
    head = post(body=None, extra=["transfer-encoding: chunked"])
    head = head.replace(b"application/grpc-web+proto", b"application/json")
    received = exchange(attacked, head + WRONG_CHUNKS[name] + post())
    assert received.startswith(b"HTTP/1.1 400 ") and received.count(b"HTTP/1.1 ") == 1, received


# ---------------------------------------------------------------------------------------- too much of it


def test_huge_heads(attacked):
    for name, extra in {"headerListByteCount": ["x: " + "y" * 2_000_000],
                        "headerFieldCount": [f"x{n}: y" for n in range(150)]}.items():
        before = attacked.hits(name)
        received = exchange(attacked, post(extra=extra))
        assert received.startswith(b"HTTP/1.1 431 ") and f"HTTPLimits.{name} = ".encode() in received
        assert attacked.hits(name) == before + 1


def test_a_request_line_without_end(attacked):
    received = exchange(attacked, b"POST /" + b"x" * 5_000_000)
    assert received.startswith(b"HTTP/1.1 414 ") and b"HTTPLimits.requestLineByteCount = 8192" in received
    assert attacked.hits("requestLineByteCount") > 0


def test_a_megabyte_of_chunk_extensions(attacked):
    """CVE-2023-39326: 200 bytes of extension for one byte of body, each within its limit."""
    body = b"".join(b"1;" + b"a" * 200 + b"\r\n\0\r\n" for _ in range(5_000))
    exchange(attacked, post("Count", body=None, extra=["transfer-encoding: chunked"]) + body)
    assert attacked.hits("headerListByteCount") > 0


@pytest.mark.parametrize("limit, trailers", [
    ("headerListByteCount", b"x: " + b"y" * 1_000_000 + b"\r\n"), ("headerFieldCount", b"x: y\r\n" * 200)])
def test_huge_trailers(attacked, limit, trailers):
    """The end of a chunked body is held to the limits of a head, and nothing behind it is read."""
    chunks = b"5\r\n" + EMPTY + b"\r\n0\r\n" + trailers + b"\r\n"
    received = exchange(attacked, post(body=None, extra=["transfer-encoding: chunked"]) + chunks + post())
    assert f"HTTPLimits.{limit} = ".encode() in received and b"grpc-status: 13" in received
    assert received.count(b"HTTP/1.1 ") == 1


def test_pipelining_is_held_back(attacked):
    """Requests behind one that runs wait in the socket, not in memory."""
    with Peer(attacked.port) as peer:
        peer.send(post("Stubborn") + post() * 20_000, seconds=2)
        assert wait_until(lambda: answers(peer.receive(0.5)) > 1, 10)
        assert attacked.counters()["runningHandlers"] <= 4


def test_pipelined_requests_are_all_answered(attacked):
    with Peer(attacked.port) as peer:
        peer.send(post() * 2_000)
        peer.receive(20, until=lambda received: answers(received) == 2_000)
        assert answers(peer.received) == 2_000


@pytest.mark.ceiling(megabytes=24)
def test_four_gigabytes_declared(attacked):
    with Peer(attacked.port) as peer:
        peer.send(post(body=b"\0\xff\xff\xff\xff" + bytes(100)))
        received = peer.receive(5, until=lambda received: b"grpc-status" in received)
        assert b"grpc-status: 8" in received or b"grpc-status:8" in received


def test_a_body_without_end(attacked):
    """A message larger than the limit is refused from its prefix, and the rest is not waited for."""
    with Peer(attacked.port) as peer:
        head = post(body=None, extra=["content-length: 999999999999"])
        peer.send(head + b"\0\x7f\xff\xff\xff" + bytes(50_000_000), seconds=3)
        peer.receive(5)
        assert peer.is_closed and b"4194304 bytes (maximumRequestMessageByteCount)" in peer.received


def test_a_body_that_goes_on_behind_its_answer(attacked):
    """A refused request's rest is dropped as far as drainedBodyByteCount, then the connection closes."""
    head = post(body=None, extra=["transfer-encoding: chunked"]).replace(b"application/grpc-web+proto", b"text/plain")
    chunk = b"1000\r\n" + bytes(4096) + b"\r\n"
    with Peer(attacked.port) as peer:
        peer.send(head)
        peer.receive(10, until=lambda received: received.startswith(b"HTTP/1.1 415 "))
        sent = 0
        while not peer.is_closed and sent < 400:
            peer.send(chunk)
            peer.receive(0.05)
            sent += 1
        assert peer.is_closed and 2 < sent < 100, sent


def test_many_small_messages(attacked):
    with Peer(attacked.port) as peer:
        peer.send(post("Count", EMPTY * 100_000))
        received = peer.receive(20, until=lambda received: b"grpc-status" in received)
        assert b"\x08\xa0\x8d\x06" in received, "100,000 messages"


# ----------------------------------------------------------------------------------------- slow peers

SLOW_HEADS = {
    "nothing": b"", "half a method": b"PO", "half a request line": b"POST / HT", "half a head": post()[:60],
}


@pytest.mark.parametrize("name", SLOW_HEADS)
def test_slow_heads(hasty, name):
    before = hasty.hits("requestHead")
    with Peer(hasty.port) as peer:
        peer.send(SLOW_HEADS[name])
        peer.receive(8)
        assert peer.is_closed
    assert hasty.hits("requestHead") == before + 1


def test_slowloris(hasty):
    """A header line now and then: the time for the whole head does not begin anew. 200 connections of one address."""
    before = hasty.hits("requestHead")
    peers = [Peer(hasty.port) for _ in range(200)]
    end = time.monotonic() + 10
    for peer in peers:
        peer.send(post()[:40])
    while any(not peer.is_closed for peer in peers) and time.monotonic() < end:
        for peer in peers:
            if not peer.is_closed:
                peer.send(b"x: y\r\n")
                peer.receive(0)
        time.sleep(0.1)
    assert all(peer.is_closed for peer in peers)
    assert hasty.hits("requestHead") == before + 200


def test_a_head_in_two_pieces_after_a_pause(hasty):
    """The clock of a head starts with its first byte, not with the end of the last request."""
    with Peer(hasty.port) as peer:
        peer.send(post())
        peer.receive(5, until=lambda received: answers(received) == 1)
        time.sleep(1.8)
        peer.send(post()[:20])
        time.sleep(0.4)
        peer.send(post()[20:])
        peer.receive(5, until=lambda received: answers(received) == 2)
        assert answers(peer.received) == 2


def test_slow_bodies(hasty):
    before = hasty.hits("bodyBytesPerSecond")
    with Peer(hasty.port) as peer:
        peer.send(post(body=None, extra=["content-length: 100005"]) + struct.pack(">BI", 0, 100_000))
        end = time.monotonic() + 10
        while not peer.is_closed and time.monotonic() < end:
            peer.send(b"\0")
            peer.receive(0.1)
        assert peer.is_closed
    assert hasty.hits("bodyBytesPerSecond") == before + 1


def test_slow_readers_of_streams(hasty):
    """The stream stops at unsentBodyByteCount, the connection ends at writeStall."""
    before = hasty.hits("writeStall")
    peers = [Peer(hasty.port, receive_buffer=4096) for _ in range(50)]
    for peer in peers:
        peer.send(post("Pour", b"\0\0\0\0\x03\x08\x90\x4e"), reads=False)
    assert wait_until(lambda: hasty.hits("writeStall") >= before + 50)
    for peer in peers:
        peer.socket.close()


def test_slow_readers_at_the_deadline(attacked):
    """T6: who reads gets the status after all that was on its way, who does not loses the connection."""
    before = attacked.hits("lingeringClose")
    # Long enough to fill all sockets on a busy machine: an answer that fits is complete, status and all.
    call = post("Pour", b"\0\0\0\0\x03\x08\x90\x4e", extra=["grpc-timeout: 1500m", "connection: close"])
    peers = [Peer(attacked.port, receive_buffer=4096) for _ in range(50)]
    for peer in peers:
        peer.send(call, reads=False)
    with Peer(attacked.port, receive_buffer=4096) as reader:
        reader.send(call, reads=False)
        time.sleep(1.7)
        reader.receive(15)
        assert reader.is_closed and b">grpc-status: 4\r\n" in reader.received[-200:]
    # The one that asks, and the good clients.
    assert wait_until(lambda: attacked.counters()["connections"] <= 3, 30)
    stalled = 0
    for peer in peers:
        peer.receive(10)
        assert peer.is_closed
        # On a busy machine the deadline of some passes before their handlers begin, or while all still fits into the
        # sockets' buffers.
        stalled += b"grpc-status: 4" not in peer.received
        peer.socket.close()
    assert stalled > 10 and attacked.hits("lingeringClose") == before + stalled


def test_a_reader_of_one_byte_at_a_time(hasty):
    before = hasty.hits("writeStall")
    peer = Peer(hasty.port, receive_buffer=2048)
    peer.send(post("Pour", b"\0\0\0\0\x03\x08\x90\x4e"), reads=False)
    end = time.monotonic() + 12
    while hasty.hits("writeStall") == before and time.monotonic() < end:
        try:
            peer.socket.recv(10)
        except BlockingIOError:
            pass
        time.sleep(0.1)
    assert hasty.hits("writeStall") == before + 1
    peer.socket.close()


def test_idle_connections_end(hasty):
    with Peer(hasty.port) as peer:
        peer.send(post())
        peer.receive(8)
        assert peer.is_closed and answers(peer.received) == 1


def test_peers_that_vanish(attacked):
    """In the middle of a head, a body, an answer, a stream: 200 times."""
    pieces = [post()[:30], post(body=None, extra=["content-length: 100"]) + b"\0\0", post("Stubborn"),
              post("Pour", b"\0\0\0\0\x03\x08\x90\x4e")]
    for number in range(200):
        peer = Peer(attacked.port)
        peer.send(pieces[number % 4], reads=False)
        if number % 8 > 3:
            peer.receive(0.005)
        peer.vanish()


def test_half_closed_connections(attacked):
    peers = [Peer(attacked.port) for _ in range(100)]
    for peer in peers:
        peer.send(post("Pour", b"\0\0\0\0\x03\x08\x90\x4e")[:-3])
        peer.socket.shutdown(socket.SHUT_WR)
    for peer in peers:
        peer.receive(5)
        assert peer.is_closed
        peer.socket.close()
