"""Frames by hand: what a client without any library has to know about gRPC-Web. See docs/protocol.md."""

import base64
import re
import struct
from urllib.parse import unquote

from clients import CallFailed, status_of

TRAILERS = 0x80


def frame(message: bytes, flags: int = 0) -> bytes:
    """One flag byte, the length in four bytes, the message."""
    return struct.pack(">BI", flags, len(message)) + message


def split_frames(body: bytes) -> list[tuple[int, bytes]]:
    """The (flags, payload) pairs of a whole body."""
    frames, at = [], 0
    while at < len(body):
        flags, length = struct.unpack_from(">BI", body, at)
        payload = body[at + 5 : at + 5 + length]
        assert len(payload) == length, "the body ends inside a frame"
        frames.append((flags, payload))
        at += 5 + length
    return frames


def decode_text(body: bytes) -> bytes:
    """Base64 pieces, each padded for itself, one after the other."""
    pieces = re.findall(rb"[A-Za-z0-9+/]+={0,2}", body)
    assert b"".join(pieces) == body, "not only base64"
    return b"".join(base64.b64decode(piece, validate=True) for piece in pieces)


def read_trailers(payload: bytes) -> dict[str, str]:
    """The trailer block; checks its grammar on the way."""
    assert payload.endswith(b"\r\n") and not payload.endswith(b"\r\n\r\n"), payload
    trailers = {}
    for line in payload[:-2].split(b"\r\n"):
        name, _, value = line.decode("ascii").partition(":")
        assert re.fullmatch(r"[a-z0-9!#$%&'*+.^_`|~-]+", name), name
        trailers[name] = value.strip()
    return trailers


def read_answer(headers: dict[str, str], body: bytes) -> list[bytes]:
    """The messages of a whole gRPC-Web answer.

    Raises CallFailed unless the status, in the trailer frame or in the headers of an answer without body, is OK.
    """
    frames = split_frames(body)
    trailers = headers
    if frames:
        flags, payload = frames.pop()
        assert flags == TRAILERS, "the last frame does not hold the trailers"
        trailers = read_trailers(payload)
    assert all(flags == 0 for flags, _ in frames), "only the last frame may hold trailers"
    status = trailers["grpc-status"]
    if status != "0":
        message = unquote(trailers.get("grpc-message", ""))
        raise CallFailed(int(status), message, status_of(trailers.get("grpc-status-details-bin")))
    return [payload for _, payload in frames]
