"""Messages that are small on the wire and large in memory (CVE-2022-29225, CVE-2026-42587): each coding has the cap."""

import gzip
import struct
import zlib

import pytest

from peer import Peer
from test_http1_attacks import post

SIZE = 64 * 1024 * 1024
# A zstd frame of 64 MiB of zeros in blocks of one repeated byte (RFC 8878 sections 3.1.1.1, 3.1.1.2): magic number, a
# window of 8 MiB, then 512 blocks of 128 KiB, four bytes each.
BLOCK = 128 * 1024
ZSTD = b"\x28\xb5\x2f\xfd\x00\x68" + b"".join(
    struct.pack(
        "<I", BLOCK << 3 | 1 << 1 | (number == SIZE // BLOCK - 1)
    )[:3] + b"\0" for number in range(SIZE // BLOCK))
BOMBS = {"gzip": gzip.compress(bytes(SIZE)), "deflate": zlib.compress(bytes(SIZE)), "zstd": ZSTD}


@pytest.mark.parametrize("coding", BOMBS)
@pytest.mark.ceiling(megabytes=32, cpu_seconds=6)
def test_compressed_bombs(attacked, coding):
    """64 MiB of zeros, twenty times."""
    body = struct.pack(">BI", 1, len(BOMBS[coding])) + BOMBS[coding]
    with Peer(attacked.port) as peer:
        for number in range(1, 21):
            peer.send(post("Count", body, extra=[f"grpc-encoding: {coding}"]))
            peer.receive(10, until=lambda received: received.count(b"grpc-status: 8") == number)
            assert peer.received.count(b"grpc-status: 8") == number, peer.received[-500:]
        assert b"maximumRequestMessageByteCount" in peer.received or b"maximumRatio" in peer.received


@pytest.mark.parametrize("kind", ["proto", "json"])
@pytest.mark.parametrize("coding", BOMBS)
@pytest.mark.ceiling(megabytes=32, cpu_seconds=6)
def test_compressed_bodies(attacked, coding, kind):
    """The same as the whole body of an HTTP request, which is how unary Connect calls are compressed."""
    head = f"POST /attack.Target/Unary HTTP/1.1\r\nhost: x\r\ncontent-type: application/{kind}\r\n"
    head += f"content-encoding: {coding}\r\ncontent-length: {len(BOMBS[coding])}\r\n\r\n"
    with Peer(attacked.port) as peer:
        for number in range(1, 21):
            peer.send(head.encode() + BOMBS[coding])
            peer.receive(10, until=lambda received: received.count(b"}") == number)
            assert peer.received.count(b'{"code":"resource_exhausted"') == number, peer.received[-500:]
        assert b"maximumRequestMessageByteCount" in peer.received or b"maximumRatio" in peer.received


@pytest.mark.parametrize("coding", BOMBS)
def test_compressed_messages_that_are_broken(attacked, coding):
    """Cut short, followed by bytes, and not compressed at all."""
    good = {
        "gzip": gzip.compress(b"\x0a\x05hello"), "deflate": zlib.compress(b"\x0a\x05hello"), "zstd": ZSTD[:100]
    }[coding]
    for broken in (good[:-3], good + b"more", b"plain text"):
        with Peer(attacked.port) as peer:
            body = struct.pack(">BI", 1, len(broken)) + broken
            peer.send(post("Unary", body, extra=[f"grpc-encoding: {coding}"]))
            peer.receive(5, until=lambda received: b"grpc-status" in received)
            assert b"grpc-status: 13" in peer.received, peer.received
