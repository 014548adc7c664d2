"""Cases in proto-JSON for the types that have a form of their own."""

import json
from collections.abc import Iterator

from google.protobuf import any_pb2, json_format, wrappers_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from case import Case
from schema import TestAllTypes

INT_LIMITS = {
    "Int32": (-(2**31), 2**31 - 1), "Int64": (-(2**63), 2**63 - 1), "Uint32": (0, 2**32 - 1), "Uint64": (0, 2**64 - 1)
}


def valid(name: str, value: object, **fields) -> Case:
    text = value if isinstance(value, str) else json.dumps(value)
    return Case(f"JsonInput.{name}", text, TestAllTypes(**fields))


def refused(name: str, value: object) -> Case:
    return Case(f"JsonInput.{name}", value if isinstance(value, str) else json.dumps(value))


def cases() -> Iterator[Case]:
    yield from wrappers()
    yield from timestamps()
    yield from durations()
    yield from field_masks()
    yield from structures()
    yield from any_messages()


def wrappers() -> Iterator[Case]:
    samples = {
        "Bool": [(False, False), (True, True)], "Float": [(0, 0), (1.5, 1.5), ("Infinity", float("inf"))],
        "Double": [(0, 0), (1.5, 1.5), ("NaN", float("nan")), ("2", 2)], "String": [("", ""), ("1", "1")],
        "Bytes": [("", b""), ("AQI=", b"\1\2"), ("-_8", b"\xfb\xff")],
        **{
            kind: [(0, 0), (least, least), (str(greatest), greatest), (greatest, greatest)] for kind,
            (least, greatest) in INT_LIMITS.items()
        },
    }  # fmt: skip
    bad = {"Bool": ["true", 1, {}], "Float": ["x", True, {"value": 1}], "Double": ["x", 1e999, {}],
    "String": [1, True, {"value": "1"}], "Bytes": ["!", 1],
           **{
               kind: [least - 1, greatest + 1, 0.5, True, {"value": 1}] for kind,
               (least, greatest) in INT_LIMITS.items()
           }}  # fmt: skip
    for kind, values in samples.items():
        wrapper = getattr(wrappers_pb2, kind.replace("Uint", "UInt") + "Value")
        single, repeated = f"optional_{kind.lower()}_wrapper", f"repeated_{kind.lower()}_wrapper"
        for index, (value, wanted) in enumerate(values):
            yield valid(
                f"Optional{kind}Wrapper[{index}]", {f"optional{kind}Wrapper": value}, **{single: wrapper(value=wanted)}
            )
        every = [wrapper(value=wanted) for _, wanted in values]
        yield valid(
            f"Repeated{kind}Wrapper", {f"repeated{kind}Wrapper": [value for value, _ in values]}, **{repeated: every}
        )
        yield valid(
            f"WrapperTypesWithNullValue.{kind}", {f"optional{kind}Wrapper": None, f"repeated{kind}Wrapper": None}
        )
        yield refused(f"Repeated{kind}WrapperWithNull", {f"repeated{kind}Wrapper": [None]})
        for index, value in enumerate(bad[kind]):
            yield refused(f"{kind}WrapperOfWrongKind[{index}]", {f"optional{kind}Wrapper": value})


def timestamps() -> Iterator[Case]:
    good = {
        "1970-01-01T00:00:00Z": (0, 0), "0001-01-01T00:00:00Z": (-62135596800, 0),
        "9999-12-31T23:59:59.999999999Z": (253402300799, 999999999),
        "1969-12-31T23:59:59.5Z": (-1, 500000000), "1970-01-01T08:00:00+08:00": (0, 0),
        "1969-12-31T16:00:00-08:00": (0, 0),
        "2024-02-29T12:30:45.123Z": (1709209845, 123000000), "2000-02-29T00:00:00.000001Z": (951782400, 1000),
        "1970-01-01T00:00:00.010Z": (0, 10000000),
        "1970-01-01T00:00:00.010000000Z": (0, 10000000), "1970-01-01T00:00:00.1Z": (0, 100000000),
        "1900-03-01T00:00:00Z": (-2203891200, 0),
        "1970-01-01T00:00:00+00:00": (0, 0), "1970-01-01T00:30:00.25+00:30": (0, 250000000),
    }  # fmt: skip
    for text, (seconds, nanos) in good.items():
        yield valid(
            f"Timestamp[{text}]", {"optionalTimestamp": text},
            optional_timestamp=Timestamp(seconds=seconds, nanos=nanos)
        )
    yield valid("TimestampRepeated", {"repeatedTimestamp": list(good)},
                repeated_timestamp=[
                    Timestamp(seconds=seconds, nanos=nanos) for seconds, nanos in good.values()
                ])  # fmt: skip
    for text in [
        "", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01",
        "2024-01-01 00:00:00Z",
        "2024-01-01t00:00:00Z", "2024-01-01T00:00:00z", "2024-01-01T00:00:00", "2024-01-01T00:00:00+0800",
        "2024-1-01T00:00:00Z", "2024-02-30T00:00:00Z",
        "2023-02-29T00:00:00Z", "1900-02-29T00:00:00Z", "2024-13-01T00:00:00Z", "2024-00-01T00:00:00Z",
        "2024-01-00T00:00:00Z", "2024-01-01T24:00:00Z",
        "2024-01-01T00:60:00Z", "2024-01-01T00:00:60Z", "2024-01-01T00:00:00.Z", "2024-01-01T00:00:00.1234567891Z",
        "2024-01-01T00:00:00,5Z",
        "2024-01-01T00:00Z", "2024-01-01", "-2024-01-01T00:00:00Z", " 2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z ",
        "2024-01-01T00:00:00ZZ",
        "2024-01-01T00:00:00+24:00", "2024-01-01T00:00:00+00:60", "２０24-01-01T00:00:00Z", "+024-01-01T00:00:00Z",
        "2024-01-01T+0:00:00Z",
    ]:  # fmt: skip
        yield refused(f"TimestampJsonInputInvalid[{text}]", {"optionalTimestamp": text})
    yield refused("TimestampJsonInputNumber", {"optionalTimestamp": 0})
    yield refused("TimestampJsonInputObject", {"optionalTimestamp": {"seconds": 1}})


def durations() -> Iterator[Case]:
    good = {
        "0s": (0, 0), "1s": (1, 0), "-1s": (-1, 0), "1.5s": (1, 500000000), "-0.5s": (0, -500000000),
        "0.000000001s": (0, 1), "-1.000001s": (-1, -1000),
        "315576000000s": (315576000000, 0), "-315576000000s": (-315576000000, 0),
        "315576000000.999999999s": (315576000000, 999999999),
        "-315576000000.999999999s": (-315576000000, -999999999), "1.010s": (1, 10000000), "0.100s": (0, 100000000),
        "-0s": (0, 0), "001s": (1, 0),
    }  # fmt: skip
    for text, (seconds, nanos) in good.items():
        yield valid(
            f"Duration[{text}]", {"optionalDuration": text}, optional_duration=Duration(seconds=seconds, nanos=nanos)
        )
    for text in ["", "s", "1", "-s", "1.s", ".5s", "1s ", " 1s", "1S", "1m", "1,5s", "1.1234567891s", "315576000001s",
    "-315576000001s", "1e3s", "--1s",
                 "0x1s", "1.-5s", "9223372036854775808s", "Infinitys", "NaNs", "1.5.5s"]:  # fmt: skip
        yield refused(f"DurationJsonInputInvalid[{text}]", {"optionalDuration": text})
    yield refused("DurationJsonInputNumber", {"optionalDuration": 1})


def field_masks() -> Iterator[Case]:
    for text, paths in {
        "": [], "foo": ["foo"], "foo,barBaz": ["foo", "bar_baz"], "foo.barBaz.q": ["foo.bar_baz.q"],
        "fooBar1,a": ["foo_bar1", "a"]
    }.items():
        yield valid(f"FieldMask[{text}]", {"optionalFieldMask": text}, optional_field_mask=FieldMask(paths=paths))
    yield refused("FieldMaskInvalidCharacter", {"optionalFieldMask": "foo,bar_bar"})
    yield refused("FieldMaskNumber", {"optionalFieldMask": 1})
    yield refused("FieldMaskList", {"optionalFieldMask": ["a"]})


def structures() -> Iterator[Case]:
    document = {
        "null": None, "bool": True, "int": 1, "double": -1.5, "text": "é\n", "list": [1, "a", None, [], {}],
        "object": {"": {"a": [False]}}
    }
    struct = json_format.ParseDict(document, Struct())
    yield valid("Struct", {"optionalStruct": document}, optional_struct=struct)
    yield valid(
        "StructWithEmptyListValue", {"optionalStruct": {"listValue": []}},
        optional_struct=json_format.ParseDict({"listValue": []}, Struct())
    )
    yield valid("StructEmpty", {"optionalStruct": {}}, optional_struct=Struct())
    yield valid("RepeatedStruct", {"repeatedStruct": [document, {}]}, repeated_struct=[struct, Struct()])
    yield valid(
        "RepeatedListValue", {"repeatedListValue": [["a", 1], []]},
        repeated_list_value=[json_format.ParseDict(["a", 1], ListValue()), ListValue()]
    )
    for name, value in {"Integer": 1, "Double": 1.5, "String": "hello", "Null": None, "Bool": False, "List": [0,
        "x"], "Object": document, "Empty": "",
                        "Big": 1e300}.items():  # fmt: skip
        yield valid(
            f"ValueAccept{name}", {"optionalValue": value}, optional_value=json_format.ParseDict(value, Value())
        )
    yield valid("RepeatedValue", {"repeatedValue": [document, None, 1]},
                repeated_value=[json_format.ParseDict(value, Value()) for value in (document, None, 1)])  # fmt: skip
    yield valid("NullValueInOtherOneofOldFormat", {"optionalNullValue": "NULL_VALUE"})
    yield valid("NullValueField", {"optionalNullValue": None})
    yield valid("NullValueNumber", {"optionalNullValue": 0})
    for rule, text in {
        "StructList": '{"optionalStruct": []}', "StructNumber": '{"optionalStruct": 1}',
        "ListObject": '{"repeatedListValue": [{}]}',
        "StructDuplicate": '{"optionalStruct": {"a": 1, "a": 2}}', "ValueTooLarge": '{"optionalValue": 1e999}',
        "ValueNaN": '{"optionalValue": NaN}',
        "ValueNestedBad": '{"optionalValue": [1, {"a": tru}]}',
    }.items():  # fmt: skip
        yield refused(rule, text)
    # A text in a Value is a text, whatever it says.
    yield valid("ValueTextNaN", {"optionalValue": "NaN"}, optional_value=Value(string_value="NaN"))


def any_messages() -> Iterator[Case]:
    full = TestAllTypes.DESCRIPTOR.full_name

    def packed(message, prefix: str = "type.googleapis.com/") -> any_pb2.Any:
        holder = any_pb2.Any()
        holder.Pack(message, type_url_prefix=prefix, deterministic=True)
        return holder

    def form(name: str, **members) -> dict:
        return {"@type": f"type.googleapis.com/{name}", **members}

    seven = TestAllTypes(optional_int32=7)
    yield valid("Any", {"optionalAny": form(full, optionalInt32=7)}, optional_any=packed(seven))
    yield valid(
        "AnyUnorderedTypeTag", f'{{"optionalAny": {{"optionalInt32": 7, "@type": "type.googleapis.com/{full}"}}}}',
        optional_any=packed(seven)
    )
    yield valid(
        "AnyNested", {"optionalAny": form("google.protobuf.Any", value=form(full, optionalInt32=7))},
        optional_any=packed(packed(seven))
    )
    yield valid("AnyEmptyObject", {"optionalAny": {}}, optional_any=any_pb2.Any())
    yield valid(
        "AnyOtherPrefix", {"optionalAny": {"@type": f"example.org/a/{full}", "optionalInt32": 7}},
        optional_any=packed(seven, "example.org/a")
    )
    yield valid("AnyNull", {"optionalAny": None})
    special = {
        "google.protobuf.Duration": ("1.5s", Duration(seconds=1, nanos=500000000)),
        "google.protobuf.Timestamp": ("1970-01-01T00:00:01Z", Timestamp(seconds=1)),
        "google.protobuf.FieldMask": ("foo,barBaz", FieldMask(paths=["foo", "bar_baz"])),
        "google.protobuf.Int32Value": (12345, wrappers_pb2.Int32Value(value=12345)),
        "google.protobuf.StringValue": ("x", wrappers_pb2.StringValue(value="x")),
        "google.protobuf.Struct": ({"foo": 1}, json_format.ParseDict({"foo": 1}, Struct())),
        "google.protobuf.Value": (None, json_format.ParseDict(None, Value())),
        "google.protobuf.ListValue": ([1], json_format.ParseDict([1], ListValue())),
    }  # fmt: skip
    for name, (value, message) in special.items():
        yield valid(
            f"AnyWith{name.rpartition('.')[2]}", {"optionalAny": form(name, value=value)}, optional_any=packed(message)
        )
        backwards = {"value": value, "@type": f"type.googleapis.com/{name}"}
        yield valid(
            f"AnyWith{name.rpartition('.')[2]}.TypeLast", {"optionalAny": backwards}, optional_any=packed(message)
        )
        yield refused(
            f"AnyWith{name.rpartition('.')[2]}.OtherMember", {"optionalAny": form(name, value=value, other=1)}
        )
    yield valid("RepeatedAny", {"repeatedAny": [form(full), {}]}, repeated_any=[packed(TestAllTypes()), any_pb2.Any()])
    for rule, value in {
        "UnknownType": {"@type": "type.googleapis.com/nobody.Knows"}, "NoType": {"optionalInt32": 1},
        "TypeNotText": {"@type": 1},
        "TypeEmpty": {"@type": "", "optionalInt32": 1}, "UnknownMember": form(full, nothing=1), "List": [], "Text": "x",
        "BadValue": form("google.protobuf.Duration", value="x"),
    }.items():  # fmt: skip
        yield refused(f"Any{rule}", {"optionalAny": value})
    yield refused("AnyTypeTwice", f'{{"optionalAny": {{"@type": "a/{full}", "@type": "b/{full}"}}}}')
    deep = form(full)
    for _ in range(300):
        deep = form("google.protobuf.Any", value=deep)
    yield refused("AnyTooDeep", {"optionalAny": deep})
