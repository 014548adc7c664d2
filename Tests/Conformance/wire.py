"""Wire format by hand, so that cases can be wrong on purpose."""

import struct

VARINT, FIXED64, LENGTH, START_GROUP, END_GROUP, FIXED32 = range(6)

WIRE_TYPES = {
    "int32": VARINT, "int64": VARINT, "uint32": VARINT, "uint64": VARINT, "sint32": VARINT, "sint64": VARINT,
    "bool": VARINT, "enum": VARINT, "fixed32": FIXED32, "sfixed32": FIXED32, "float": FIXED32, "fixed64": FIXED64,
    "sfixed64": FIXED64, "double": FIXED64, "string": LENGTH, "bytes": LENGTH, "message": LENGTH,
}  # fmt: skip


def varint(value: int) -> bytes:
    """A number of 64 bits; a negative one as its two's complement."""
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def long_varint(value: int, extra: int) -> bytes:
    """The same number with `extra` bytes that say nothing."""
    short = varint(value)
    return short[:-1] + bytes([short[-1] | 0x80]) + b"\x80" * (extra - 1) + b"\x00"


def zigzag(value: int) -> bytes:
    return varint(value << 1 ^ value >> 63)


def fixed32(value: int) -> bytes:
    return struct.pack("<I", value & 0xFFFFFFFF)


def fixed64(value: int) -> bytes:
    return struct.pack("<Q", value & (1 << 64) - 1)


def float32(value: float) -> bytes:
    return struct.pack("<f", value)


def float64(value: float) -> bytes:
    return struct.pack("<d", value)


def delimited(value: bytes) -> bytes:
    return varint(len(value)) + value


def tag(number: int, wire_type: int) -> bytes:
    return varint(number << 3 | wire_type)


def field(number: int, wire_type: int, value: bytes) -> bytes:
    return tag(number, wire_type) + value


def message(number: int, content: bytes) -> bytes:
    return field(number, LENGTH, delimited(content))
