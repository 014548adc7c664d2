"""Random messages of any type: edges of every kind, maps, oneofs, recursion, well-known types, unknown fields."""

import math
import random
import struct

import wire
from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.message import Message

from map_order import deterministic
from schema import message_class

INTEGERS = {
    Field.TYPE_INT32: (-(2**31), 2**31 - 1), Field.TYPE_SINT32: (-(2**31), 2**31 - 1),
    Field.TYPE_SFIXED32: (-(2**31), 2**31 - 1),
    Field.TYPE_INT64: (-(2**63), 2**63 - 1), Field.TYPE_SINT64: (-(2**63), 2**63 - 1),
    Field.TYPE_SFIXED64: (-(2**63), 2**63 - 1),
    Field.TYPE_UINT32: (0, 2**32 - 1), Field.TYPE_FIXED32: (0, 2**32 - 1), Field.TYPE_UINT64: (0, 2**64 - 1),
    Field.TYPE_FIXED64: (0, 2**64 - 1),
}  # fmt: skip
LETTERS = "abcXYZ 019_/\\\"'\n\t\0\x1f\x7f<>&äßéñ谢😀\u2028\ufeff\U0010ffff"
# Without the greatest float: the Python package refuses the shortest digits of it, which it writes itself.
FLOATS = [0.0, -0.0, 1.0, -1.5, 0.1, 1e10, 3e38, 1.1754943508222875e-38, float("inf"), float("-inf"), float("nan")]
ANY_TYPES = [
    "google.protobuf.Duration", "google.protobuf.Struct", "google.protobuf.StringValue", "google.protobuf.FieldMask",
    "google.rpc.ErrorInfo", "google.rpc.BadRequest", "protobuf_test_messages.proto3.TestAllTypesProto3",
    "sentry.integrations.scm.v1.Repository",
]  # fmt: skip


class Generator:
    def __init__(self, seed: str, unknown: bool):
        self.random = random.Random(seed)
        self.unknown = unknown

    def message(self, name: str, depth: int = 4) -> Message:
        message = message_class(name)()
        self.fill(message, depth)
        return message

    def fill(self, message: Message, depth: int) -> None:
        special = getattr(self, "fill_" + message.DESCRIPTOR.full_name.replace(".", "_"), None)
        if special:
            special(message, depth)
        else:
            # Sparse, dense and empty messages, in turn.
            density = self.random.choice([0, 0.05, 0.2, 0.6])
            for field in message.DESCRIPTOR.fields:
                if self.random.random() < density and (depth > 0 or field.message_type is None):
                    self.fill_field(message, field, depth)
        if self.unknown and self.random.random() < 0.2:
            message.MergeFromString(self.unknown_fields(message.DESCRIPTOR))

    def fill_field(self, message: Message, field: Field, depth: int) -> None:
        if field.message_type and field.message_type.GetOptions().map_entry:
            key, value = field.message_type.fields_by_number[1], field.message_type.fields_by_number[2]
            target = getattr(message, field.name)
            for _ in range(self.count()):
                if value.message_type:
                    self.fill(target[self.scalar(key)], depth - 1)
                else:
                    target[self.scalar(key)] = self.scalar(value)
        elif field.is_repeated:
            target = getattr(message, field.name)
            for _ in range(self.count()):
                if field.message_type:
                    self.fill(target.add(), depth - 1)
                else:
                    target.append(self.scalar(field))
        elif field.message_type:
            target = getattr(message, field.name)
            target.SetInParent()
            self.fill(target, depth - 1)
        else:
            setattr(message, field.name, self.scalar(field))

    def count(self) -> int:
        return self.random.choice([0, 1, 1, 2, 3, 7, 40] if self.random.random() < 0.1 else [1, 2, 3])

    def scalar(self, field: Field):
        if field.type in INTEGERS:
            least, greatest = INTEGERS[field.type]
            size = self.random.choice([7, 8, 14, 21, 31, 32, 33, 62, 63, 64])
            edges = [least, greatest, 0, 1, max(least, -1), min(greatest, 2**31), self.random.randint(least, greatest)]
            return self.random.choice([*edges, min(greatest, max(least, self.random.randint(-(2**size), 2**size)))])
        if field.type == Field.TYPE_BOOL:
            return self.random.random() < 0.5
        if field.type == Field.TYPE_STRING:
            return self.text()
        if field.type == Field.TYPE_BYTES:
            return self.random.randbytes(self.random.choice([0, 1, 2, 3, 17, 130]))
        if field.type == Field.TYPE_ENUM:
            if field.enum_type.full_name == "google.protobuf.NullValue":
                return 0
            known = [value.number for value in field.enum_type.values]
            return self.random.choice([*known, self.random.randint(-(2**31), 2**31 - 1)])
        return self.number(field.type == Field.TYPE_FLOAT)

    def number(self, single: bool = False, finite: bool = False) -> float:
        value = self.random.choice(
            [*FLOATS, self.random.uniform(-1e6, 1e6), self.random.random() * 10 ** self.random.randint(-30, 30)]
        )
        if finite and not math.isfinite(value):
            return 0.5
        return struct.unpack("<f", struct.pack("<f", value))[0] if single else value

    def text(self) -> str:
        return "".join(self.random.choices(LETTERS, k=self.random.choice([0, 1, 5, 15, 16, 40, 200])))

    def unknown_fields(self, descriptor) -> bytes:
        result = b""
        for _ in range(self.random.randint(1, 3)):
            number = self.random.choice([501, 777, 19000, 2**29 - 1])
            if number in descriptor.fields_by_number:
                continue
            value = self.random.getrandbits(64)
            result += self.random.choice([
                wire.field(number, wire.VARINT, wire.varint(value)),
                wire.field(number, wire.FIXED32, wire.fixed32(value)),
                wire.field(number, wire.FIXED64, wire.fixed64(value)),
                wire.message(number, self.random.randbytes(value % 20)),
                wire.tag(number, wire.START_GROUP) + wire.field(
                    1, wire.VARINT, wire.varint(value)
                ) + wire.tag(number, wire.END_GROUP),
            ])  # fmt: skip
        return result

    # Types whose values must keep rules to have a form in JSON.

    def fill_google_protobuf_Timestamp(self, message: Message, depth: int) -> None:
        message.seconds = self.random.choice(
            [0, -1, -62135596800, 253402300799, self.random.randint(-62135596800, 253402300799)]
        )
        message.nanos = self.nanos()

    def fill_google_protobuf_Duration(self, message: Message, depth: int) -> None:
        sign = self.random.choice([1, -1])
        message.seconds = sign * self.random.choice([0, 1, 315576000000, self.random.randint(0, 10**9)])
        message.nanos = sign * self.nanos()

    def nanos(self) -> int:
        return self.random.choice([0, 1, 1000, 5 * 10**6, 999999999, self.random.randrange(10**9)])

    def fill_google_protobuf_FieldMask(self, message: Message, depth: int) -> None:
        words = ["name", "web_url", "a.b_c", "repository.id", "x1_y"]
        message.paths.extend(self.random.choices(words, k=self.random.randint(0, 4)))

    def fill_google_protobuf_Any(self, message: Message, depth: int) -> None:
        if depth <= 0 or self.random.random() < 0.1:
            return
        name = self.random.choice(ANY_TYPES)
        keep, self.unknown = self.unknown, False
        message.type_url = f"type.googleapis.com/{name}"
        message.value = deterministic(self.message(name, depth - 1))
        self.unknown = keep

    def fill_google_protobuf_Struct(self, message: Message, depth: int) -> None:
        for _ in range(self.random.randint(0, 3)):
            self.fill(message.fields[self.text()], depth - 1)

    def fill_google_protobuf_ListValue(self, message: Message, depth: int) -> None:
        for _ in range(self.random.randint(0, 3)):
            self.fill(message.values.add(), depth - 1)

    def fill_google_protobuf_Value(self, message: Message, depth: int) -> None:
        kind = self.random.choice(["null", "number", "string", "bool"] + (["struct", "list"] if depth > 0 else []))
        if kind == "null":
            message.null_value = 0
        elif kind == "number":
            message.number_value = self.number(finite=True)
        elif kind == "string":
            message.string_value = self.text()
        elif kind == "bool":
            message.bool_value = self.random.random() < 0.5
        else:
            target = getattr(message, f"{kind}_value")
            target.SetInParent()
            self.fill(target, depth - 1)
