"""Cases in proto-JSON: every kind of field, null, names, unknown members, grammar. The message that valid text stands
for is built here, not parsed, because the Python package accepts some text that it should not."""

import json
from collections.abc import Iterator

import well_known_json_cases
from case import Case
from schema import TestAllTypes

INTEGERS = {
    "int32": (-(2**31), 2**31 - 1), "int64": (-(2**63), 2**63 - 1), "uint32": (0, 2**32 - 1), "uint64": (0, 2**64 - 1),
    "sint32": (-(2**31), 2**31 - 1), "sint64": (-(2**63), 2**63 - 1), "fixed32": (0, 2**32 - 1),
    "fixed64": (0, 2**64 - 1), "sfixed32": (-(2**31), 2**31 - 1), "sfixed64": (-(2**63), 2**63 - 1),
}  # fmt: skip
Nested = TestAllTypes.NestedMessage


def valid(name: str, text: str, **fields) -> Case:
    return Case(f"JsonInput.{name}", text, TestAllTypes(**fields))


def refused(name: str, text: str) -> Case:
    return Case(f"JsonInput.{name}", text)


def cases() -> Iterator[Case]:
    yield from names()
    yield from integers()
    yield from floating_point()
    yield from booleans_and_enums()
    yield from strings()
    yield from byte_strings()
    yield from lists()
    yield from maps()
    yield from oneofs()
    yield from nulls()
    yield from unknown_members()
    yield from grammar()
    yield from well_known_json_cases.cases()


def names() -> Iterator[Case]:
    forms = {
        "fieldname1": "fieldname1", "field_name2": "fieldName2", "_field_name3": "FieldName3",
        "field__name4_": "fieldName4",
        "field0name5": "field0name5", "field_0_name6": "field0Name6", "fieldName7": "fieldName7",
        "FieldName8": "FieldName8",
        "field_Name9": "fieldName9", "Field_Name10": "FieldName10", "FIELD_NAME11": "FIELDNAME11",
        "FIELD_name12": "FIELDName12", "__field_name13": "FieldName13", "__Field_name14": "FieldName14",
        "field__name15": "fieldName15", "field__Name16": "fieldName16", "field_name17__": "fieldName17",
        "Field_name18__": "FieldName18",
    }  # fmt: skip
    for number, (original, form) in enumerate(forms.items(), 1):
        yield valid(f"FieldName.{form}", json.dumps({form: number}), **{original: number})
        yield valid(f"FieldNameWithOriginal.{original}", json.dumps({original: number}), **{original: number})
    escaped = "".join(f"\\u{ord(letter):04x}" for letter in "fieldname1")
    yield valid("FieldNameEscaped", f'{{"{escaped}": 1}}', fieldname1=1)
    yield refused("FieldNameDuplicate", '{"optionalInt32": 1, "optionalInt32": 1}')
    yield refused(
        "FieldNameDuplicateDifferentCasing1", '{"optional_nested_message": {"a": 1}, "optionalNestedMessage": {}}'
    )
    yield refused(
        "FieldNameDuplicateDifferentCasing2", '{"optionalNestedMessage": {"a": 1}, "optional_nested_message": {}}'
    )
    yield refused("FieldNameDuplicateEscaped", '{"optionalInt32": 1, "optional\\u0049nt32": 1}')
    yield refused("FieldNameWrongCase", '{"OptionalInt32": 1}')
    yield refused("FieldNameWithSpaces", '{" optionalInt32": 1}')
    yield refused("FieldNameNotQuoted", "{fieldname1: 1}")
    yield refused("FieldNameInSingleQuotes", "{'fieldname1': 1}")
    yield refused("FieldNameNumber", '{"1": 1}')


def integers() -> Iterator[Case]:
    for kind, (least, greatest) in INTEGERS.items():
        name, member = f"optional_{kind}", f"optional{kind.capitalize()}"
        upper = kind.capitalize()
        case = lambda rule, text, value: valid(  # noqa: E731
            f"{upper}Field{rule}", f'{{"{member}": {text}}}', **{name: value}  # noqa: B023
        )
        bad = lambda rule, text: refused(f"{upper}Field{rule}", f'{{"{member}": {text}}}')  # noqa: B023, E731
        for rule, value in (("MaxValue", greatest), ("MinValue", least), ("Zero", 0), ("One", 1)):
            yield case(rule, value, value)
            yield case(f"{rule}Quoted", f'"{value}"', value)
            yield case(f"{rule}FloatZero", f"{value}.0", value)
            yield case(f"{rule}Exponent", f"{value}e0", value)
        yield case(
            "MaxValueWithPointAndExponent", f"{str(greatest)[0]}.{str(greatest)[1:]}e{len(str(greatest)) - 1}", greatest
        )
        yield case("ExponentQuoted", '"1e2"', 100)
        yield case("NegativeExponent", "1200e-2", 12)
        yield case("CapitalExponent", "1E+1", 10)
        yield case("MinusZero", "-0", 0)
        yield bad("TooLarge", greatest + 1)
        yield bad("TooSmall", least - 1)
        yield bad("TooLargeQuoted", f'"{greatest + 1}"')
        yield bad("MuchTooLarge", "1e400")
        yield bad("NotInteger", "0.5")
        yield bad("NotIntegerByExponent", "15e-1")
        yield bad("NotNumber", '"3x3"')
        for rule, text in {
            "Empty": '""', "LeadingSpace": '" 1"', "TrailingSpace": '"1 "', "LeadingZero": "01",
            "LeadingZeroQuoted": '"01"',
            "NegativeWithLeadingZero": "-01", "PlusSign": "+1", "PlusSignQuoted": '"+1"', "Hex": "0x10",
            "HexQuoted": '"0x10"',
            "PointOnly": "1.", "PointFirst": ".5", "MinusOnly": "-", "ExponentOnly": "1e", "Bool": "true",
            "Object": "{}",
            "List": "[1]", "NaN": '"NaN"', "Infinity": '"Infinity"', "Underscore": "1_000",
        }.items():  # fmt: skip
            yield bad(rule, text)


def floating_point() -> Iterator[Case]:
    limits = {
        "float": ("3.402823e+38", "1.175494e-38", "3.502823e+38"),
        "double": ("1.797693e+308", "2.22507e-308", "1.89769e+308")
    }
    for kind, (greatest, least, over) in limits.items():
        name, member, upper = f"optional_{kind}", f"optional{kind.capitalize()}", kind.capitalize()
        good = {
            "MinPositiveValue": least, "MinNegativeValue": f"-{greatest}", "MaxPositiveValue": greatest,
            "MaxNegativeValue": f"-{least}",
            "Integer": "1", "Fraction": "0.1", "NegativeZero": "-0", "NegativeZeroPoint": "-0.0", "Exponent": "1e3",
            "CapitalExponent": "1.5E-3", "LongFraction": "0.30000000000000000000001", "Third": "0.3333333333333333",
            "Underflow": "1e-400", "Denormal": "1e-40", "PowerOf24": "16777217",
        }  # fmt: skip
        for rule, text in good.items():
            yield valid(f"{upper}Field{rule}", f'{{"{member}": {text}}}', **{name: float(text)})
            yield valid(f"{upper}Field{rule}Quoted", f'{{"{member}": "{text}"}}', **{name: float(text)})
        for text, value in {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}.items():
            yield valid(f"{upper}Field{text}", f'{{"{member}": "{text}"}}', **{name: value})
            yield refused(f"{upper}Field{text}NotQuoted", f'{{"{member}": {text}}}')
        for rule, text in {
            "TooLarge": over, "TooSmall": f"-{over}", "TooLargeQuoted": f'"{over}"', "MuchTooLarge": "1e5000",
            "Empty": '""',
            "Text": '"one"', "Bool": "false", "LeadingSpace": '" 1.5"', "TrailingSpace": '"1.5 "', "PointOnly": "1.",
            "PointFirst": ".1",
            "Hex": '"0x1p3"', "LowerNan": '"nan"', "LowerInf": '"inf"', "PlusInfinity": '"+Infinity"', "Object": "{}",
        }.items():  # fmt: skip
            yield refused(f"{upper}Field{rule}", f'{{"{member}": {text}}}')


def booleans_and_enums() -> Iterator[Case]:
    yield valid("BoolFieldTrue", '{"optionalBool": true}', optional_bool=True)
    yield valid("BoolFieldFalse", '{"optionalBool": false}', optional_bool=False)
    for rule, text in {
        "IntegerZero": "0", "IntegerOne": "1", "CamelCaseTrue": "True", "CamelCaseFalse": "False",
        "AllCapitalTrue": "TRUE",
        "DoubleQuotedTrue": '"true"', "DoubleQuotedFalse": '"false"', "Truncated": "tru", "Longer": "truex",
    }.items():  # fmt: skip
        yield refused(f"BoolField{rule}", f'{{"optionalBool": {text}}}')
    for text, value in {
        '"FOO"': 0, '"BAR"': 1, '"NEG"': -1, "1": 1, "-1": -1, "0": 0, "123": 123, "1.0": 1, "1e0": 1,
        "-2147483648": -(2**31)
    }.items():
        yield valid(f"EnumField[{text}]", f'{{"optionalNestedEnum": {text}}}', optional_nested_enum=value)
    for name in ("ALIAS_BAZ", "MOO", "moo", "bAz"):
        yield valid(f"EnumFieldWithAlias.{name}", f'{{"optionalAliasedEnum": "{name}"}}', optional_aliased_enum=2)
    for rule, text in {"NotQuoted": "FOO", "WrongCase": '"foo"', "UnknownName": '"NONE"', "Empty": '""',
        "TooLarge": "2147483648",
                       "Fraction": "0.5", "Bool": "true", "Object": "{}"}.items():  # fmt: skip
        yield refused(f"EnumField{rule}", f'{{"optionalNestedEnum": {text}}}')


def strings() -> Iterator[Case]:
    good = {
        "Plain": ('"Hello world!"', "Hello world!"), "Empty": ('""', ""),
        "Escape": (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        "Unicode": ('"谢谢"', "谢谢"), "UnicodeEscape": (r'"\u8C22\u8C22"', "谢谢"), "UnicodeEscapeLower": (r'"\u8c22"', "谢"),
        "SurrogatePair": (r'"\uD83D\uDE01"', "\U0001f601"), "SurrogatePairLower": (r'"\ud83d\ude01"', "\U0001f601"),
        "LastPair": (r'"\uDBFF\uDFFF"', "\U0010ffff"), "NulEscape": (r'"\u0000"', "\0"), "Delete": ('"\x7f"', "\x7f"),
        "LineSeparators": ('"\u2028\u2029"', "\u2028\u2029"), "Emoji": ('"😁"', "😁"),
        "ByteOrderMark": ('"\ufeff"', "\ufeff"),
        "Html": ('"<a href=\'x\'>&</a>"', "<a href='x'>&</a>"), "Combining": ('"e\u0301"', "e\u0301"),
        "Long": (f'"{"x" * 5000}"', "x" * 5000),
    }  # fmt: skip
    for rule, (text, value) in good.items():
        yield valid(f"StringField{rule}", f'{{"optionalString": {text}}}', optional_string=value)
    for rule, text in {
        "NotAString": "12345", "SurrogateInWrongOrder": r'"\uDE01\uD83D"', "UnpairedHighSurrogate": r'"\uD800"',
        "UnpairedHighSurrogateThenText": r'"\uD800x"', "UnpairedHighSurrogateThenEscape": r'"\uD800\n"',
        "TwoHighSurrogates": r'"\uD800\uD800"',
        "UnpairedLowSurrogate": r'"\uDC00"', "InvalidEscape": r'"\XXXXhello"', "UnterminatedEscape": '"\\',
        "UnterminatedHexEscape": r'"\u1',
        "InvalidHexEscape": r'"\u00G0"', "ShortHexEscape": r'"\u12"', "UppercaseEscapeLetter": r'"\U8C22"',
        "Unterminated": '"abc',
        "RawNewline": '"a\nb"', "RawTab": '"a\tb"', "RawNul": '"a\0b"', "SingleQuotes": "'abc'", "Bool": "true",
        "List": '["a"]', "Object": "{}",
    }.items():  # fmt: skip
        yield refused(f"StringField{rule}", f'{{"optionalString": {text}}}')


def byte_strings() -> Iterator[Case]:
    for rule, text, value in [
        ("Plain", "AQI=", b"\x01\x02"), ("Empty", "", b""), ("Url", "-_-_", b"\xfb\xff\xbf"),
        ("Standard", "+/+/", b"\xfb\xff\xbf"),
        ("UrlNoPadding", "-_", b"\xfb"), ("NoPadding", "AQI", b"\x01\x02"), ("OneByteNoPadding", "AQ", b"\x01"),
        ("TwoPads", "AQ==", b"\x01"),
    ]:  # fmt: skip
        yield valid(f"BytesField{rule}", json.dumps({"optionalBytes": text}), optional_bytes=value)
    for rule, text in {"Characters": '"!@#$"', "NoString": "123", "OneSymbol": '"A"', "PadInside": '"AQ=I"',
        "OnlyPads": '"===="',
                       "Bool": "true"}.items():  # fmt: skip
        yield refused(f"BytesFieldInvalidBase64{rule}", f'{{"optionalBytes": {text}}}')


def lists() -> Iterator[Case]:
    yield valid("PrimitiveRepeatedField", '{"repeatedInt32": [1, 2, 3, 4]}', repeated_int32=[1, 2, 3, 4])
    yield valid("PackedRepeatedField", '{"packedInt32": [1, -2]}', packed_int32=[1, -2])
    yield valid("EmptyRepeatedField", '{"repeatedInt32": []}')
    yield valid(
        "EnumRepeatedField", '{"repeatedNestedEnum": ["FOO", "BAR", 2, -1]}', repeated_nested_enum=[0, 1, 2, -1]
    )
    yield valid(
        "StringRepeatedField", '{"repeatedString": ["Hello", "", "world"]}', repeated_string=["Hello", "", "world"]
    )
    yield valid("BytesRepeatedField", '{"repeatedBytes": ["AAEC", "AQI="]}', repeated_bytes=[b"\0\1\2", b"\1\2"])
    yield valid("BoolRepeatedField", '{"repeatedBool": [true, false]}', repeated_bool=[True, False])
    yield valid(
        "DoubleRepeatedField", '{"repeatedDouble": [1, "NaN", "-0.5"]}', repeated_double=[1, float("nan"), -0.5]
    )
    yield valid(
        "MessageRepeatedField", '{"repeatedNestedMessage": [{"a": 1}, {}]}',
        repeated_nested_message=[Nested(a=1), Nested()]
    )
    for rule, text in {
        "WrongElementTypeExpectingIntegersGotBool": '{"repeatedInt32": [1, false, 3]}',
        "WrongElementTypeExpectingIntegersGotString": '{"repeatedInt32": [1, 2, "name"]}',
        "WrongElementTypeExpectingIntegersGotMessage": '{"repeatedInt32": [1, 2, {"a": 4}]}',
        "WrongElementTypeExpectingStringsGotInt": '{"repeatedString": ["1", 2]}',
        "WrongElementTypeExpectingStringsGotBool": '{"repeatedString": ["1", false]}',
        "WrongElementTypeExpectingStringsGotMessage": '{"repeatedString": ["1", {"a": 4}]}',
        "WrongElementTypeExpectingMessagesGotInt": '{"repeatedNestedMessage": [{"a": 1}, 2]}',
        "WrongElementTypeExpectingMessagesGotString": '{"repeatedNestedMessage": [{"a": 1}, "4"]}',
        "NotAList": '{"repeatedInt32": 1}', "Object": '{"repeatedInt32": {}}',
        "ListOfLists": '{"repeatedInt32": [[1]]}',
        "TrailingComma": '{"repeatedInt32": [1,]}', "TrailingCommaWithNewlines": '{"repeatedInt32": [1,\n]}',
        "LeadingComma": '{"repeatedInt32": [,1]}',
        "NoComma": '{"repeatedInt32": [1 2]}', "NotClosed": '{"repeatedInt32": [1',
        "ClosedByBrace": '{"repeatedInt32": [1}}',
        "ListForSingleValue": '{"optionalInt32": [1]}', "ListForMessage": '{"optionalNestedMessage": [{}]}',
    }.items():  # fmt: skip
        yield refused(f"RepeatedField{rule}", text)


def maps() -> Iterator[Case]:
    for kind, (least, greatest) in INTEGERS.items():
        text = json.dumps(
            {f"map{kind.capitalize()}{kind.capitalize()}": {str(least): greatest, str(greatest): str(least)}}
        )
        yield valid(f"{kind.capitalize()}MapField", text, **{f"map_{kind}_{kind}": {least: greatest, greatest: least}})
        for rule, key in {
            "TooLarge": greatest + 1, "TooSmall": least - 1, "Text": "x", "Empty": "", "Space": " 1", "Fraction": "0.5"
        }.items():
            yield refused(
                f"{kind.capitalize()}MapFieldKey{rule}",
                json.dumps({f"map{kind.capitalize()}{kind.capitalize()}": {str(key): 1}})
            )
    yield valid(
        "BoolMapField", '{"mapBoolBool": {"true": true, "false": false}}', map_bool_bool={True: True, False: False}
    )
    yield valid("BoolMapEscapedKey", '{"mapInt32Int32": {"\\u0031": 2}}', map_int32_int32={1: 2})
    yield valid("EmptyMap", '{"mapInt32Int32": {}}')
    yield valid("StringMap", '{"mapStringString": {"": "", "k\\n": "v"}}', map_string_string={"": "", "k\n": "v"})
    yield valid("BytesMap", '{"mapStringBytes": {"k": "AQI="}}', map_string_bytes={"k": b"\1\2"})
    yield valid("EnumMap", '{"mapStringNestedEnum": {"k": "BAZ", "n": -1}}', map_string_nested_enum={"k": 2, "n": -1})
    yield valid("MessageMapField", '{"mapStringNestedMessage": {"a": {"a": 1}, "b": {}}}',
                map_string_nested_message={"a": Nested(a=1), "b": Nested()})  # fmt: skip
    for rule, text in {
        "FieldKeyNotQuoted": '{"mapInt32Int32": {0: 1}}', "FieldValueIsNull": '{"mapInt32Int32": {"0": null}}',
        "BoolKeyOther": '{"mapBoolBool": {"yes": true}}', "BoolKeyNumber": '{"mapBoolBool": {"1": true}}',
        "List": '{"mapInt32Int32": []}',
        "DuplicateKey": '{"mapStringString": {"a": "1", "a": "2"}}',
        "DuplicateKeyEscaped": '{"mapStringString": {"a": "1", "\\u0061": "2"}}',
        "DuplicateNumber": '{"mapInt32Int32": {"1": 1, "1e0": 2}}', "ValueOfWrongKind": '{"mapInt32Int32": {"1": "x"}}',
    }.items():  # fmt: skip
        yield refused(f"Map{rule}", text)


def oneofs() -> Iterator[Case]:
    members = {"Uint32": (1, 1), "String": ("x", "x"), "Bytes": ("AQI=", b"\1\2"), "Bool": (True, True),
    "Uint64": ("5", 5),
               "Float": (1.5, 1.5), "Double": (2.5, 2.5), "Enum": ("BAR", 1),
               "NestedMessage": ({"a": 3}, Nested(a=3))}  # fmt: skip
    for name, (value, wanted) in members.items():
        field = "oneof_nested_message" if name == "NestedMessage" else f"oneof_{name.lower()}"
        yield valid(f"OneofField.{name}", json.dumps({f"oneof{name}": value}), **{field: wanted})
    for field, value in {
        "oneof_uint32": 0, "oneof_string": "", "oneof_bool": False, "oneof_bytes": "", "oneof_double": 0
    }.items():
        name = field.split("_")[0] + field.split("_")[1].capitalize()
        yield valid(f"OneofZero.{name}", json.dumps({name: value}), **{field: b"" if field == "oneof_bytes" else value})
    yield valid("OneofNullValue", '{"oneofNullValue": null}', oneof_null_value=0)
    yield valid("OneofNullValueName", '{"oneofNullValue": "NULL_VALUE"}', oneof_null_value=0)
    yield valid("OneofFieldNullFirst", '{"oneofUint32": null, "oneofString": "test"}', oneof_string="test")
    yield valid("OneofFieldNullSecond", '{"oneofString": "test", "oneofUint32": null}', oneof_string="test")
    yield refused("OneofFieldDuplicate", '{"oneofUint32": 1, "oneofString": "test"}')
    yield refused("OneofFieldDuplicateWithNullValue", '{"oneofNullValue": null, "oneofString": "test"}')


def nulls() -> Iterator[Case]:
    everywhere = [
        field
        for field in TestAllTypes.DESCRIPTOR.fields
        if not (field.message_type and field.message_type.name == "Value" and not field.is_repeated)
        and not (field.enum_type and field.enum_type.name == "NullValue")
    ]
    for field in everywhere:
        yield valid(f"NullIsAbsent.{field.name}", json.dumps({field.json_name: None}))
        if field.is_repeated and not (field.message_type and field.message_type.GetOptions().map_entry):
            if not (field.message_type and field.message_type.name == "Value"):
                yield refused(f"NullInList.{field.name}", json.dumps({field.json_name: [None]}))
        if field.message_type and field.message_type.GetOptions().map_entry:
            key = {"string": "k", "bool": "true"}.get(field.name.split("_")[1], "1")
            yield refused(f"NullInMap.{field.name}", json.dumps({field.json_name: {key: None}}))
    yield valid("NullInNestedMessage", '{"optionalNestedMessage": {"a": null}}', optional_nested_message=Nested())
    yield refused("NullForDocument", "null")


def unknown_members() -> Iterator[Case]:
    values = {"Number": "1.5e3", "String": '"a\\u00e9"', "True": "true", "False": "false", "Null": "null",
    "List": "[1, [2, {}]]",
              "EmptyList": "[]", "EmptyObject": "{}", "Object": '{"a": {"b": [null, true]}}'}  # fmt: skip
    for rule, value in values.items():
        text = f'{{"unknown": {value}, "optionalInt32": 7}}'
        yield refused(f"UnknownMember{rule}", text)
        yield Case(f"JsonInput.IgnoreUnknownJson{rule}", text, TestAllTypes(optional_int32=7), ignores_unknown=True)
        nested = f'{{"optionalNestedMessage": {{"unknown": {value}, "a": 7}}}}'
        yield Case(
            f"JsonInput.IgnoreUnknownJson{rule}.Nested", nested, TestAllTypes(optional_nested_message=Nested(a=7)),
            ignores_unknown=True
        )
    for rule, text, fields in [
        ("EnumValue", '{"optionalNestedEnum": "NONE"}', {}),
        ("EnumValueInList", '{"repeatedNestedEnum": ["BAR", "NONE", "BAZ"]}', {"repeated_nested_enum": [1, 2]}),
        ("EnumValueInMap", '{"mapStringNestedEnum": {"a": "NONE", "b": "BAR"}}', {"map_string_nested_enum": {"b": 1}}),
        ("EnumValueInPacked", '{"packedNestedEnum": ["NONE"]}', {}),
    ]:  # fmt: skip
        yield Case(f"JsonInput.IgnoreUnknown{rule}", text, TestAllTypes(**fields), ignores_unknown=True)
    for rule, text in {"Grammar": '{"unknown": [1,]}', "Depth": '{"unknown": ' + "[" * 5000 + "]" * 5000 + "}",
        "Word": '{"unknown": nul}',
                       "BadNumber": '{"unknown": 01}'}.items():  # fmt: skip
        yield Case(f"JsonInput.IgnoreUnknownStillChecks{rule}", text, ignores_unknown=True)


def grammar() -> Iterator[Case]:
    yield valid("HelloWorld", '{"optionalString":"Hello, World!"}', optional_string="Hello, World!")
    yield valid("EmptyObject", "{}")
    yield valid(
        "WhiteSpaceEverywhere", ' \t\r\n{ "optionalInt32" \n:\t1 , "repeatedInt32" : [ 1 , 2 ] }\n ', optional_int32=1,
        repeated_int32=[1, 2]
    )
    for rule, text in {
        "Empty": "", "OnlySpace": " \n", "List": "[]", "Number": "1", "String": '"{}"', "TwoDocuments": "{}{}",
        "TextBehind": "{} x",
        "ByteOrderMark": "\ufeff{}", "TrailingCommaInAnObject": '{"fieldname1":1,}',
        "TrailingCommaInAnObjectWithSpace": '{"fieldname1":1 ,}',
        "TrailingCommaInAnObjectWithNewlines": '{"fieldname1":1,\n}',
        "MissingCommaOneline": '{ "optionalInt32": 1 "optionalInt64": 2 }',
        "MissingCommaMultiline": '{\n"optionalInt32": 1\n"optionalInt64": 2\n}', "LeadingComma": '{,"optionalInt32":1}',
        "NoColon": '{"optionalInt32" 1}',
        "NoValue": '{"optionalInt32":}', "OnlyName": '{"optionalInt32"}', "NotClosed": '{"optionalInt32":1',
        "NotOpened": '"optionalInt32":1}',
        "LineComment": '{} // comment', "BlockComment": '{"optionalInt32": /* one */ 1}',
        "EqualsSign": '{"optionalInt32"=1}', "VerticalTab": "{\x0b}",
        "NoBreakSpace": "{\u00a0}",
    }.items():  # fmt: skip
        yield refused(f"Grammar{rule}", text)
    deep = lambda count: '{"recursiveMessage":' * count + "{}" + "}" * count  # noqa: E731
    expected = TestAllTypes()
    inner = expected
    for _ in range(60):
        inner = inner.recursive_message
    inner.SetInParent()
    yield Case("JsonInput.DeepMessage60", deep(60), expected)
    yield refused("TooDeepMessage", deep(5000))
    yield refused("TooDeepList", '{"optionalValue":' + "[" * 5000 + "]" * 5000 + "}")
