"""HTTP/2 frames by hand: for peers that no library would let one be. RFC 9113, RFC 7541."""

import struct
from dataclasses import dataclass

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
END_STREAM, ACK, END_HEADERS, PADDED = 0x1, 0x1, 0x4, 0x8
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, CANCEL, CALM = 0, 1, 7, 8, 11


@dataclass
class Frame:
    type: int
    flags: int
    stream: int
    payload: bytes

    @property
    def code(self) -> int:
        """Error code of RST_STREAM and GOAWAY."""
        return struct.unpack_from(">I", self.payload, 0 if self.type == RST_STREAM else 4)[0]


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def settings(*pairs: tuple[int, int]) -> bytes:
    return frame(SETTINGS, payload=b"".join(struct.pack(">HI", *pair) for pair in pairs))


def begin(*pairs: tuple[int, int]) -> bytes:
    """Preface, settings, and the acknowledgement of the server's."""
    return PREFACE + settings(*pairs) + frame(SETTINGS, ACK)


def window_update(stream: int, increment: int) -> bytes:
    return frame(WINDOW_UPDATE, stream=stream, payload=struct.pack(">I", increment))


def reset(stream: int, code: int = CANCEL) -> bytes:
    return frame(RST_STREAM, stream=stream, payload=struct.pack(">I", code))


def string(text: bytes) -> bytes:
    """A string literal without Huffman coding."""
    if len(text) < 127:
        return bytes([len(text)]) + text
    rest, out = len(text) - 127, b"\x7f"
    while rest >= 128:
        out += bytes([rest & 127 | 128])
        rest >>= 7
    return out + bytes([rest]) + text


def field(name: str, value: str, indexed: bool = False) -> bytes:
    return (b"\x40" if indexed else b"\0") + string(name.encode()) + string(value.encode())


def block(method: str = "Unary", extra: bytes = b"") -> bytes:
    """The header block of a gRPC call of attack.Target."""
    return (b"\x83\x86" + field(":path", f"/attack.Target/{method}") + field(":authority", "x")
            + field("content-type", "application/grpc") + field("te", "trailers") + extra)


def headers(stream: int, fields: bytes = block(), flags: int = END_HEADERS) -> bytes:
    return frame(HEADERS, flags, stream, fields)


def data(stream: int, payload: bytes = b"", end: bool = False) -> bytes:
    return frame(DATA, END_STREAM if end else 0, stream, payload)


def message(payload: bytes = b"") -> bytes:
    return struct.pack(">BI", 0, len(payload)) + payload


def number(value: int) -> bytes:
    """A google.protobuf.UInt32Value."""
    out = b"\x08"
    while value >= 128:
        out += bytes([value & 127 | 128])
        value >>= 7
    return message(out + bytes([value]))


def call(stream: int, method: str = "Unary", body: bytes = message()) -> bytes:
    return headers(stream, block(method)) + data(stream, body, end=True)


def frames(received: bytes) -> list[Frame]:
    """The whole frames in what was received."""
    found, at = [], 0
    while at + 9 <= len(received):
        length = int.from_bytes(received[at : at + 3], "big")
        if at + 9 + length > len(received):
            break
        kind, flags, stream = struct.unpack_from(">BBI", received, at + 3)
        found.append(Frame(kind, flags, stream, received[at + 9 : at + 9 + length]))
        at += 9 + length
    return found


def goaways(received: bytes) -> list[int]:
    return [one.code for one in frames(received) if one.type == GOAWAY]


def resets(received: bytes) -> list[int]:
    return [one.code for one in frames(received) if one.type == RST_STREAM]


def pings(received: bytes) -> list[bytes]:
    """Of the PINGs that want an answer, what they carry."""
    return [one.payload for one in frames(received) if one.type == PING and not one.flags & ACK]
