"""Puts the entries of maps in ascending order of their keys.

Deterministic output orders them, but protobuf does not say how: C++, Java, Go and we ascend; the Python package writes
backwards and descends. Everything else has to be the same byte for byte.
"""

import struct

from google.protobuf import any_pb2, message_factory
from google.protobuf.message import DecodeError

from schema import POOL
from wire import FIXED32, FIXED64, LENGTH, START_GROUP, VARINT, delimited


def ascending(data: bytes, descriptor) -> bytes:
    """`data`, written by the Python package, in our order. Fields the descriptor does not know stay as they are."""
    if descriptor.full_name == "google.protobuf.Any":
        return ascending_any(data)
    out = bytearray()
    entries: list[tuple[object, bytes]] = []
    map_number = None

    def end_map() -> None:
        for _, entry in sorted(entries, key=lambda item: item[0]):
            out.extend(entry)
        entries.clear()

    for number, wire_type, raw_tag, value in fields(data):
        if number != map_number:
            end_map()
        field = descriptor.fields_by_number.get(number)
        map_number = None
        if field is None or field.message_type is None or wire_type != LENGTH:
            out += raw_tag + (delimited(value) if wire_type == LENGTH else value)
            continue
        value = ascending(value, field.message_type)
        if field.message_type.GetOptions().map_entry:
            map_number = number
            entries.append((key(value, field.message_type.fields_by_number[1]), raw_tag + delimited(value)))
        else:
            out += raw_tag + delimited(value)
    end_map()
    return bytes(out)


def ascending_any(data: bytes) -> bytes:
    """The payload of an Any is bytes, which the Python package writes in its own order when it reads JSON."""
    holder = any_pb2.Any.FromString(data)
    try:
        payload_type = POOL.FindMessageTypeByName(holder.type_url.rpartition("/")[2])
    except KeyError:
        return data
    payload = message_factory.GetMessageClass(payload_type)
    try:
        holder.value = deterministic(payload.FromString(holder.value))
    except DecodeError:
        return data
    return holder.SerializeToString()


def key(entry: bytes, descriptor) -> object:
    """The key of a map entry as something that sorts as the key does."""
    _, wire_type, _, value = next(fields(entry))
    if wire_type == LENGTH:
        return value
    signed = descriptor.type in (descriptor.TYPE_SFIXED32, descriptor.TYPE_SFIXED64)
    if wire_type != VARINT:
        return int.from_bytes(value, "little", signed=signed)
    number, _ = read_varint(value, 0)
    if descriptor.type in (descriptor.TYPE_SINT32, descriptor.TYPE_SINT64):
        return number >> 1 ^ -(number & 1)
    if descriptor.type in (descriptor.TYPE_INT32, descriptor.TYPE_INT64):
        return struct.unpack("<q", struct.pack("<Q", number))[0]
    return number


def fields(data: bytes):
    """Number, wire type, tag and value (a delimited one without its length, a group with its end) of each field."""
    at = 0
    while at < len(data):
        start = at
        tag, at = read_varint(data, at)
        raw_tag, value_at = data[start:at], at
        if tag & 7 == LENGTH:
            length, at = read_varint(data, at)
            yield tag >> 3, LENGTH, raw_tag, data[at : at + length]
            at += length
        else:
            at = skip(data, at, tag & 7)
            yield tag >> 3, tag & 7, raw_tag, data[value_at:at]


def skip(data: bytes, at: int, wire_type: int) -> int:
    if wire_type == VARINT:
        return read_varint(data, at)[1]
    if wire_type == LENGTH:
        length, at = read_varint(data, at)
        return at + length
    if wire_type in (FIXED32, FIXED64):
        return at + (4 if wire_type == FIXED32 else 8)
    depth = 1
    while depth:
        tag, at = read_varint(data, at)
        if tag & 7 == START_GROUP:
            depth += 1
        elif tag & 7 == START_GROUP + 1:
            depth -= 1
        else:
            at = skip(data, at, tag & 7)
    return at


def read_varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def deterministic(message) -> bytes:
    return ascending(message.SerializeToString(deterministic=True), message.DESCRIPTOR)
