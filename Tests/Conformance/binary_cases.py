"""Cases in wire format. What is valid is said here; which message it gives is what protobuf's Python package reads.

The names are those of the public suite where it has the same case.
"""

from collections.abc import Iterator

import wire
from case import Case, parse
from schema import TestAllTypes
from wire import END_GROUP, FIXED32, FIXED64, LENGTH, START_GROUP, VARINT, delimited, field, message, tag, varint

FIELDS = TestAllTypes.DESCRIPTOR.fields_by_name
UNKNOWN = 505
KINDS = (
    "int32 int64 uint32 uint64 sint32 sint64 fixed32 fixed64 sfixed32 sfixed64 float double bool string bytes"
).split()

INT_EDGES = [0, 1, -1, 127, 128, 12345, 2**31 - 1, -(2**31), 2**31, 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**64 - 1]
FLOATS = [0.0, -0.0, 0.1, 1.0, -1.5, 1e-45, 1.1754943e-38, 3.4028235e38, float("inf"), float("-inf"), float("nan")]
DOUBLES = FLOATS + [5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 3.141592653589793, 1e21, 123456789.125]

VALUES = {
    **dict.fromkeys(["int32", "int64", "uint32", "uint64", "enum"], [varint(value) for value in INT_EDGES]),
    "sint32": [wire.zigzag(value) for value in INT_EDGES if -(2**31) <= value < 2**31] + [varint(2**33 - 1)],
    "sint64": [wire.zigzag(value) for value in INT_EDGES if value < 2**63],
    "fixed32": [wire.fixed32(value) for value in INT_EDGES],
    "sfixed32": [wire.fixed32(value) for value in INT_EDGES],
    "fixed64": [wire.fixed64(value) for value in INT_EDGES],
    "sfixed64": [wire.fixed64(value) for value in INT_EDGES],
    "float": [wire.float32(value) for value in FLOATS],
    "double": [wire.float64(value) for value in DOUBLES],
    "bool": [varint(value) for value in (0, 1, 2, 12345, 2**31, 2**32, 2**63, 2**64 - 1)],
    "string": [
        delimited(text.encode())
        for text in (
            "", "Hello world!", "'\"?", "\0", "\x7f", "Ünï", "\u2028\u2029", "谢谢", "\U0001f600", "\ufeff", "a" * 300
        )
    ],
    "bytes": [delimited(data) for data in (b"", b"Hello", b"\x00", b"\xff\xfe", bytes(range(256)))],
    "message": [delimited(b""), delimited(field(1, VARINT, varint(1234))), delimited(field(1, VARINT, varint(0)))],
}
for _kind in ("int32", "int64", "uint32", "uint64", "enum", "bool"):
    VALUES[_kind] = VALUES[_kind] + [wire.long_varint(value, extra) for value in (0, 1, 300) for extra in (1, 3, 8)]

BAD_UTF8 = [
    b"\x80", b"\xff", b"\xc0\x80", b"\xc3", b"\xe2\x28\xa1", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\xf0\x9f\x98",
    b"ok\xfe"
]

NAMES = {kind: kind for kind in KINDS} | {"enum": "nested_enum", "message": "nested_message"}
SCALARS = [kind for kind in VALUES if wire.WIRE_TYPES[kind] != LENGTH]


def number(name: str) -> int:
    return FIELDS[name].number


def valid(name: str, data: bytes, **options) -> Case:
    expected = parse(data)
    assert expected is not None, f"{name}: the second implementation refuses {data.hex()}"
    return Case(f"ProtobufInput.{name}", data, expected, **options)


def refused(name: str, data: bytes) -> Case:
    """Only for what every implementation must refuse; the second one is asked too."""
    assert parse(data) is None, f"{name}: the second implementation accepts {data.hex()}"
    return Case(f"ProtobufInput.{name}", data)


def cases() -> Iterator[Case]:
    yield from premature_ends()
    yield from illegal_tags()
    yield from unknown_fields()
    for kind in VALUES:
        yield from scalars(kind)
        yield from lists(kind)
    yield from maps()
    yield from oneofs()
    yield from text_checks()
    yield from depth()
    yield from merges()
    yield from wrong_wire_types()
    yield from well_known_types()


def premature_ends() -> Iterator[Case]:
    for kind in VALUES:
        wire_type = wire.WIRE_TYPES[kind]
        value = next(value for value in reversed(VALUES[kind]) if len(value) > 1)
        places = {
            "KnownNonRepeated": number(f"optional_{NAMES[kind]}"),
            "KnownRepeated": number(f"repeated_{NAMES[kind]}"),
            "Unknown": UNKNOWN,
        }
        for place, at in places.items():
            yield refused(f"PrematureEofBefore{place}Value.{kind.upper()}", tag(at, wire_type))
            for end in range(1, len(value)):
                if end > 12:
                    break
                yield refused(
                    f"PrematureEofInside{place}Value.{kind.upper()}[{end}]", field(at, wire_type, value[:end])
                )
            if wire_type == LENGTH:
                yield refused(
                    f"PrematureEofInDelimitedDataFor{place}Value.{kind.upper()}", field(at, LENGTH, b"\x02\x08")
                )
        if kind == "message":
            inner = field(1, VARINT, b"")
            yield refused("PrematureEofInSubmessageValue.MESSAGE", message(number("optional_nested_message"), inner))
        elif wire_type != LENGTH:
            packed = number(f"packed_{NAMES[kind]}")
            yield refused(f"PrematureEofInPackedFieldValue.{kind.upper()}", message(packed, value[:-1]))
            yield refused(f"PrematureEofInPackedField.{kind.upper()}", field(packed, LENGTH, b"\x7f" + value))
    yield refused("LengthBeyondMemory", field(14, LENGTH, varint(2**63 - 1) + b"x"))
    yield refused("LengthWrapsAround", field(14, LENGTH, varint(2**64 - 1) + b"x"))
    yield refused("LengthOf2GiB", field(14, LENGTH, varint(2**31) + b"x"))


def illegal_tags() -> Iterator[Case]:
    for index, data in enumerate([b"\x01DEADBEEF", b"\x02\x01\x01", b"\x03\x04", b"\x05DEAD", b"\x00\x00"]):
        yield refused(f"IllegalZeroFieldNum_Case_{index}", data)
    for wire_type in (6, 7):
        yield refused(f"UndefinedWireType.{wire_type}", field(1, wire_type, b"\x00"))
        yield refused(f"UndefinedWireTypeOfUnknown.{wire_type}", field(UNKNOWN, wire_type, b"\x00"))
    yield refused("EndGroupWithoutStart", tag(UNKNOWN, END_GROUP))
    yield refused("EndGroupOfOtherNumber", tag(UNKNOWN, START_GROUP) + tag(UNKNOWN + 1, END_GROUP))
    yield refused("GroupWithoutEnd", tag(UNKNOWN, START_GROUP) + field(1, VARINT, b"\x01"))
    yield refused("EndGroupInMessage", message(18, tag(1, END_GROUP)))
    yield refused("TagLongerThanTenBytes", b"\x88" + b"\x80" * 10 + b"\x01")
    yield refused("FieldNumberTooHigh", wire.varint((2**29) << 3 | VARINT) + b"\x01")
    yield refused("VarintOfElevenBytes", tag(1, VARINT) + b"\x80" * 10 + b"\x01")
    yield refused("UnknownVarintOfElevenBytes", tag(UNKNOWN, VARINT) + b"\x80" * 10 + b"\x01")
    yield valid("HighestFieldNumber", field(2**29 - 1, VARINT, b"\x01"))
    yield valid("ReservedFieldNumber", field(19000, VARINT, b"\x01"))


def unknown_fields() -> Iterator[Case]:
    group = tag(UNKNOWN, START_GROUP) + field(1, VARINT, b"\x07") + message(2, b"abc") + tag(UNKNOWN, END_GROUP)
    nested = tag(503, START_GROUP) + group * 2 + field(9, FIXED32, b"1234") + tag(503, END_GROUP)
    samples = {
        "UnknownVarint": field(UNKNOWN, VARINT, varint(2**64 - 1)),
        "UnknownFixed32": field(UNKNOWN, FIXED32, b"1234"),
        "UnknownFixed64": field(UNKNOWN, FIXED64, b"12345678"),
        "UnknownBytes": message(UNKNOWN, b"\xff\x00"),
        "UnknownGroup": group,
        "UnknownNestedGroups": nested,
        "UnknownEmptyGroup": tag(UNKNOWN, START_GROUP) + tag(UNKNOWN, END_GROUP),
    }
    known = field(1, VARINT, varint(42))
    for name, data in samples.items():
        yield valid(name, data)
        yield valid(f"{name}.BetweenKnown", known + data + field(2, VARINT, varint(43)))
        yield valid(f"{name}.Twice", data * 2)
        yield valid(f"{name}.InSubmessage", message(18, field(1, VARINT, b"\x05") + data))
        yield valid(f"{name}.InListOfMessages", message(48, data) + message(48, b""))
        yield valid(f"{name}.InOneof", message(112, data))
    everything = b"".join(samples.values())
    yield valid("UnknownOrdering", message(506, b"abc") + everything + message(504, b"abc"))
    # The Python package keeps the whole entry as an unknown field instead.
    entry = message(69, message(1, b"k") + message(2, b"v") + message(7, b"gone"))
    yield Case("ProtobufInput.UnknownInMapEntryIsDropped", entry, TestAllTypes(map_string_string={"k": "v"}))


def scalars(kind: str) -> Iterator[Case]:
    wire_type, upper, at = wire.WIRE_TYPES[kind], kind.upper(), number(f"optional_{NAMES[kind]}")
    for index, value in enumerate(VALUES[kind]):
        yield valid(f"ValidDataScalar.{upper}[{index}]", field(at, wire_type, value))
    everything = b"".join(field(at, wire_type, value) for value in VALUES[kind])
    yield valid(f"RepeatedScalarSelectsLast.{upper}", everything)
    yield valid(f"RepeatedScalarSelectsLast.{upper}.Default", everything + field(at, wire_type, VALUES[kind][0]))


def lists(kind: str) -> Iterator[Case]:
    wire_type, upper = wire.WIRE_TYPES[kind], kind.upper()
    unpacked_data = lambda at: b"".join(field(at, wire_type, value) for value in VALUES[kind])  # noqa: E731
    repeated = number(f"repeated_{NAMES[kind]}")
    yield valid(f"ValidDataRepeated.{upper}.UnpackedInput", unpacked_data(repeated))
    yield valid(f"ValidDataRepeated.{upper}.OneElement", field(repeated, wire_type, VALUES[kind][0]))
    if wire_type == LENGTH:
        return
    joined = b"".join(VALUES[kind])
    for shape in ("repeated", "packed", "unpacked"):
        at = number(f"{shape}_{NAMES[kind]}")
        yield valid(f"ValidDataRepeated.{upper}.PackedInput.{shape}", message(at, joined))
        yield valid(f"ValidDataRepeated.{upper}.UnpackedInput.{shape}", unpacked_data(at))
        yield valid(
            f"ValidDataRepeated.{upper}.MixedInput.{shape}", message(at, joined) + unpacked_data(at) + message(at, b"")
        )
        yield valid(f"ValidDataRepeated.{upper}.EmptyPacked.{shape}", message(at, b""))
        many = b"".join(VALUES[kind] * 40)
        yield valid(f"ValidDataRepeated.{upper}.ManyPacked.{shape}", message(at, many))


def maps() -> Iterator[Case]:
    for descriptor in FIELDS.values():
        if descriptor.message_type is None or not descriptor.message_type.GetOptions().map_entry:
            continue
        key_kind, value_kind = descriptor.name.removeprefix("map_").split("_", 1)
        value_kind = {"nested_message": "message", "foreign_message": "message", "nested_enum": "enum",
                      "foreign_enum": "enum"}.get(value_kind, value_kind)  # fmt: skip
        keys = [field(1, wire.WIRE_TYPES[key_kind], value) for value in VALUES[key_kind]]
        values = [field(2, wire.WIRE_TYPES[value_kind], value) for value in VALUES[value_kind]]
        at, name = descriptor.number, f"ValidDataMap.{descriptor.name.removeprefix('map_').upper()}"
        entry = lambda data: message(at, data)  # noqa: B023, E731
        yield valid(f"{name}.Default", entry(keys[0] + values[0]))
        yield valid(f"{name}.MissingDefault", entry(b""))
        yield valid(f"{name}.MissingKey", entry(values[1]))
        yield valid(f"{name}.MissingValue", entry(keys[1]))
        yield valid(f"{name}.NonDefault", entry(keys[1] + values[1]))
        yield valid(f"{name}.Unordered", entry(values[1] + keys[1]))
        yield valid(f"{name}.DuplicateKey", entry(keys[1] + values[0]) + entry(keys[1] + values[1]))
        yield valid(f"{name}.DuplicateKeyInMapEntry", entry(keys[0] + keys[1] + values[1]))
        yield valid(f"{name}.DuplicateValueInMapEntry", entry(keys[1] + values[0] + values[1]))
        yield valid(f"{name}.AllKeys", b"".join(entry(key + values[1]) for key in keys))
        yield valid(f"{name}.AllValues", b"".join(
            entry(keys[index % len(keys)] + value) for index, value in enumerate(values)))  # fmt: skip
        yield refused(f"{name}.Truncated", entry(keys[1] + values[1])[:-1])
    nested = message(2, field(1, VARINT, b"\x01")) + message(2, message(2, field(2, VARINT, b"\x05")))
    yield valid("ValidDataMap.STRING.MESSAGE.MergeValue", message(71, message(1, b"") + nested))


def oneofs() -> Iterator[Case]:
    members = {"uint32": "uint32", "nested_message": "message", "string": "string", "bytes": "bytes", "bool": "bool",
               "uint64": "uint64", "float": "float", "double": "double", "enum": "enum"}  # fmt: skip
    one_each = []
    for name, kind in members.items():
        at, wire_type, upper = number(f"oneof_{name}"), wire.WIRE_TYPES[kind], kind.upper()
        default, other = (field(at, wire_type, value) for value in VALUES[kind][:2])
        one_each.append(other)
        yield valid(f"ValidDataOneof.{upper}.DefaultValue", default)
        yield valid(f"ValidDataOneof.{upper}.NonDefaultValue", other)
        yield valid(f"ValidDataOneof.{upper}.MultipleValuesForSameField", other + default)
        yield valid(f"ValidDataOneof.{upper}.MultipleValuesForDifferentField", field(117, FIXED32, b"1234") + other)
    yield valid("ValidDataOneof.NULL", field(120, VARINT, b"\x00"))
    yield valid("ValidDataOneof.NULL.Unknown", field(120, VARINT, b"\x05"), json_refused=False, outputs=(1,))
    yield valid("ValidDataOneof.All", b"".join(one_each))
    yield valid("ValidDataOneof.AllBackwards", b"".join(reversed(one_each)))
    first, second = field(1, VARINT, b"\x01"), message(2, field(1, VARINT, b"\x02"))
    yield valid("ValidDataOneof.MESSAGE.Merge", message(112, first) + message(112, second))
    between = message(113, b"text")
    yield valid("ValidDataOneof.MESSAGE.NoMergeAcrossOtherMember", message(112, first) + between + message(112, second))


def text_checks() -> Iterator[Case]:
    places = {
        "Singular": lambda text: message(14, text),
        "Repeated": lambda text: message(44, b"fine") + message(44, text),
        "Oneof": lambda text: message(113, text),
        "MapKey": lambda text: message(69, message(1, text)),
        "MapValue": lambda text: message(69, message(2, text)),
        "Wrapper": lambda text: message(208, message(1, text)),
        "FieldMask": lambda text: message(303, message(1, text)),
        "AnyTypeURL": lambda text: message(305, message(1, text)),
    }
    for place, place_text in places.items():
        for index, text in enumerate(BAD_UTF8):
            for padding in (0, 7, 40):
                data = place_text(b"x" * padding + text)
                yield refused(f"RejectInvalidUtf8.String.{place}[{index}].{padding}", data)
    yield valid("AcceptInvalidUtf8.Bytes", message(15, b"\xff\xc0\x80"))


def depth() -> Iterator[Case]:
    def chain(count: int) -> bytes:
        data = field(1, VARINT, b"\x01")
        for _ in range(count):
            data = message(27, data)
        return data

    for count in (1, 10, 60, 98):
        yield valid(f"NestedMessages.{count}", chain(count), outputs=(1,) if count > 30 else (1, 2))
    yield refused("NestedMessages.TooDeep", chain(101))
    yield refused("NestedMessages.MuchTooDeep", chain(5000))
    yield refused("NestedGroups.TooDeep", tag(UNKNOWN, START_GROUP) * 5000)
    yield refused("NestedGroups.TooDeepWithEnds", tag(UNKNOWN, START_GROUP) * 200 + tag(UNKNOWN, END_GROUP) * 200)
    yield valid("NestedGroups.90", tag(UNKNOWN, START_GROUP) * 90 + tag(UNKNOWN, END_GROUP) * 90)


def merges() -> Iterator[Case]:
    left = field(1, VARINT, b"\x07") + message(31, b"\x01\x02") + message(14, b"left") + message(69, message(1, b"l"))
    right = field(2, VARINT, b"\x08") + message(31, b"\x03") + message(14, b"right") + message(69, message(1, b"r"))
    yield valid("Merge.TopLevel", left + right)
    yield valid("Merge.Submessage", message(27, left) + message(27, right))
    yield valid("Merge.Deep", message(27, message(27, left)) + message(27, message(27, right)))
    yield valid("Merge.EmptySubmessage", message(27, left) + message(27, b""))
    yield valid("Merge.Wrapper", message(202, field(1, VARINT, b"\x07")) + message(202, b""))
    yield valid("Merge.Timestamp", message(302, field(1, VARINT, b"\x07")) + message(302, field(2, VARINT, b"\x05")))
    yield valid("Merge.ListOfMessages", message(48, field(1, VARINT, b"\x01")) + message(48, b""))
    struct = lambda key: message(304, message(1, message(1, key) + message(2, field(4, VARINT, b"\x01"))))  # noqa: E731
    yield valid("Merge.Struct", struct(b"a") + struct(b"b"))


def wrong_wire_types() -> Iterator[Case]:
    """A known number with another wire type is an unknown field."""
    samples = {
        VARINT: varint(7), FIXED32: b"1234", FIXED64: b"12345678", LENGTH: delimited(b"\x08\x01"),
        START_GROUP: field(1, VARINT, b"\x01"),
    }  # fmt: skip
    for descriptor in FIELDS.values():
        if descriptor.number >= 400:
            continue
        for wire_type, value in samples.items():
            if wire_type == LENGTH and descriptor.is_repeated:
                continue
            data = field(descriptor.number, wire_type, value)
            if wire_type == START_GROUP:
                data += tag(descriptor.number, END_GROUP)
            if parse(data) is not None and parse(data).ListFields() == []:
                yield valid(f"WrongWireType.{descriptor.name}.{wire_type}", data)


def well_known_types() -> Iterator[Case]:
    def time(at: int, seconds: int, nanos: int) -> bytes:
        return message(at, field(1, VARINT, varint(seconds)) + field(2, VARINT, varint(nanos)))

    good = {301: [(0, 0), (1, 5), (-1, -5), (0, -1), (315576000000, 999999999), (-315576000000, -999999999)],
            302: [(0, 0), (1, 5), (-1, 5), (-62135596800, 0), (253402300799, 999999999)]}  # fmt: skip
    bad = {301: [(315576000001, 0), (-315576000001, 0), (1, -1), (-1, 1), (0, 10**9), (0, -(10**9)), (2**63 - 1, 0)],
           302: [(0, -1), (0, 10**9), (-62135596801, 0), (253402300800, 0), (2**63 - 1, 0), (-(2**63), 0)]}  # fmt: skip
    for at, name in ((301, "Duration"), (302, "Timestamp")):
        for index, (seconds, nanos) in enumerate(good[at]):
            yield valid(f"{name}Proto[{index}]", time(at, seconds, nanos))
        for index, (seconds, nanos) in enumerate(bad[at]):
            yield valid(f"{name}ProtoOutOfRange[{index}]", time(at, seconds, nanos), json_refused=True)
    for index, path in enumerate([b"fooBar", b"foo_3_bar", b"foo__bar", b"foo_Bar"]):
        yield valid(f"FieldMaskNotRoundTrip[{index}]", message(303, message(1, path)), json_refused=True)
    number_value = lambda bits: message(306, field(2, FIXED64, wire.float64(bits)))  # noqa: E731
    for name in ("nan", "inf", "-inf"):
        yield valid(f"ValueNotFinite.{name}", number_value(float(name)), json_refused=True)
    yield valid(
        "AnyOfUnknownType", message(305, message(1, b"type.example/nobody.Knows") + message(2, b"x")), json_refused=True
    )
    yield valid("AnyWithBadPayload",
    message(305, message(1, b"t.example/google.protobuf.Duration") + message(2, b"\xff")),
                json_refused=True)  # fmt: skip
    yield valid("AnyEmpty", message(305, b""))
    yield valid("EmptyValueMessage", message(306, b""), outputs=(1,))
