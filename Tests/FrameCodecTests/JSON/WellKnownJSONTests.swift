import FrameCodec
import Testing

@Suite struct WellKnownJSONTests {
    static let pairs: [(String, AllKinds)] = [
        (#"{"timestamp":"1970-01-01T00:00:00Z"}"#, AllKinds(timestamp: .init())),
        (#"{"timestamp":"0001-01-01T00:00:00Z"}"#, AllKinds(timestamp: .init(seconds: -62_135_596_800))),
        (
            #"{"timestamp":"9999-12-31T23:59:59.999999999Z"}"#,
            AllKinds(timestamp: .init(seconds: 253_402_300_799, nanos: 999_999_999))
        ),
        (
            #"{"timestamp":"2024-02-29T12:30:00.500Z"}"#,
            AllKinds(timestamp: .init(seconds: 1_709_209_800, nanos: 500_000_000))
        ),
        (
            #"{"timestamp":"1969-12-31T23:59:59.000001Z"}"#,
            AllKinds(timestamp: .init(seconds: -1, nanos: 1000))
        ),
        (#"{"duration":"0s"}"#, AllKinds(duration: .init())),
        (#"{"duration":"-0.500s"}"#, AllKinds(duration: .init(nanos: -500_000_000))),
        (
            #"{"duration":"-315576000000.999999999s"}"#,
            AllKinds(duration: .init(seconds: -315_576_000_000, nanos: -999_999_999))
        ),
        (#"{"duration":"3.000000001s"}"#, AllKinds(duration: .init(seconds: 3, nanos: 1))),
        (#"{"fieldMask":"fooBar,a.bC"}"#, AllKinds(fieldMask: .init(paths: ["foo_bar", "a.b_c"]))),
        (#"{"fieldMask":""}"#, AllKinds(fieldMask: .init())),
        (#"{"empty":{}}"#, AllKinds(empty: .init())),
        (
            #"{"struct":{"a":[1,null,"x",true,{"b":{}}]}}"#,
            AllKinds(
                struct: .init(fields: [
                    "a": list([
                        number(1), .init(kind: .nullValue(.nullValue)), .init(kind: .stringValue("x")),
                        .init(kind: .boolValue(true)),
                        .init(kind: .structValue(.init(fields: ["b": .init(kind: .structValue(.init()))])))
                    ])
                ]))
        ),
        (#"{"dynamicValue":null}"#, AllKinds(dynamicValue: .init(kind: .nullValue(.nullValue)))),
        (#"{"dynamicValue":-1.5}"#, AllKinds(dynamicValue: number(-1.5))),
        (
            #"{"listValue":[[],{}]}"#,
            AllKinds(listValue: .init(values: [list([]), .init(kind: .structValue(.init()))]))
        ),
        (
            #"{"dynamicValues":[null,1]}"#,
            AllKinds(dynamicValues: [.init(kind: .nullValue(.nullValue)), number(1)])
        ),
        (
            #"{"wrappedInt64":"0","wrappedString":"","wrappedBool":false,"wrappedDouble":0,"wrappedBytes":""}"#,
            AllKinds(
                wrappedInt64: .init(), wrappedString: .init(), wrappedBool: .init(), wrappedDouble: .init(),
                wrappedBytes: .init())
        ),
        (
            #"{"wrappedInt64":"5","wrappedBytes":"AA==","wrappedList":[1,0]}"#,
            AllKinds(
                wrappedInt64: .init(value: 5), wrappedBytes: .init(value: [0]),
                wrappedList: [.init(value: 1), .init()])
        ),
        (#"{"any":{}}"#, AllKinds(any: .init())),
        (
            #"{"any":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1.500s"}}"#,
            AllKinds(any: .init(packing: Protobuf.Duration(seconds: 1, nanos: 500_000_000)))
        ),
        (
            #"{"any":{"@type":"type.googleapis.com/google.protobuf.Empty"}}"#,
            AllKinds(any: .init(packing: Protobuf.Empty()))
        )
    ]

    private static func number(_ value: Double) -> Protobuf.Value { .init(kind: .numberValue(value)) }
    private static func list(_ values: [Protobuf.Value]) -> Protobuf.Value {
        .init(kind: .listValue(.init(values: values)))
    }

    @Test("both ways", arguments: pairs)
    func bothWays(_ json: String, _ message: AllKinds) throws {
        #expect(try message.jsonString() == json)
        #expect(try AllKinds(jsonString: json) == message)
    }

    @Test(
        "other spellings",
        arguments: [
            (#"{"timestamp":"2024-02-29T13:30:00+01:00"}"#, #"{"timestamp":"2024-02-29T12:30:00Z"}"#),
            (#"{"timestamp":"2024-02-29T00:00:00.1-23:59"}"#, #"{"timestamp":"2024-02-29T23:59:00.100Z"}"#),
            (#"{"duration":"1.5s"}"#, #"{"duration":"1.500s"}"#),
            (#"{"wrappedInt64":null,"timestamp":null}"#, "{}"),
            (
                #"{"any":{"value":"1s","@type":"x/google.protobuf.Duration"}}"#,
                #"{"any":{"@type":"x/google.protobuf.Duration","value":"1s"}}"#
            )
        ])
    func spellings(_ json: String, _ canonical: String) throws {
        #expect(try AllKinds(jsonString: json).jsonString() == canonical)
    }

    @Test(
        "refused",
        arguments: [
            #"{"timestamp":"2023-02-29T00:00:00Z"}"#, #"{"timestamp":"1900-02-29T00:00:00Z"}"#,
            #"{"timestamp":"2024-01-01T24:00:00Z"}"#, #"{"timestamp":"2024-01-01t00:00:00Z"}"#,
            #"{"timestamp":"2024-01-01T00:00:00"}"#, #"{"timestamp":"2024-01-01T00:00:00z"}"#,
            #"{"timestamp":"0000-12-31T00:00:00Z"}"#, #"{"timestamp":"0001-01-01T00:00:00+00:01"}"#,
            #"{"timestamp":"2024-01-01T00:00:00.1234567890Z"}"#, #"{"timestamp":"2024-01-01T00:00:00.Z"}"#,
            #"{"timestamp":"2024-13-01T00:00:00Z"}"#, #"{"timestamp":1}"#,
            #"{"timestamp":"20a4-01-01T00:00:00Z"}"#,
            #"{"duration":"1"}"#, #"{"duration":"s"}"#, #"{"duration":"1.s"}"#, #"{"duration":".5s"}"#,
            #"{"duration":"+1s"}"#,
            #"{"duration":"315576000001s"}"#, #"{"duration":"1.0000000001s"}"#, #"{"duration":"--1s"}"#,
            #"{"fieldMask":"foo_bar"}"#, #"{"dynamicValue":"NaN","struct":1}"#, #"{"listValue":{}}"#,
            #"{"struct":{"a":1,"a":2}}"#, #"{"wrappedInt64":{"value":1}}"#, #"{"wrappedList":[null]}"#,
            #"{"any":{"value":"1s"}}"#, #"{"any":{"@type":"x/unknown.Type"}}"#,
            #"{"any":{"@type":"x/google.protobuf.Duration"}}"#,
            #"{"any":{"@type":"x/google.protobuf.Duration","value":"1s","more":1}}"#,
            #"{"any":{"@type":"x/google.protobuf.Duration","value":"1s","value":"2s"}}"#
        ])
    func refused(_ json: String) {
        #expect(throws: JSONError.self) { try AllKinds(jsonString: json) }
    }

    @Test("values that JSON has no form for")
    func unwritable() {
        let messages = [
            AllKinds(timestamp: .init(seconds: 253_402_300_800)), AllKinds(timestamp: .init(nanos: -1)),
            AllKinds(duration: .init(seconds: 1, nanos: -1)),
            AllKinds(duration: .init(seconds: 315_576_000_001)),
            AllKinds(fieldMask: .init(paths: ["fooBar"])), AllKinds(dynamicValue: .init()),
            AllKinds(dynamicValue: Self.number(.nan)),
            AllKinds(any: .init(typeURL: "x/unknown.Type", value: [])),
            AllKinds(any: .init(typeURL: "x/google.protobuf.Duration", value: [0x08]))
        ]
        for message in messages { #expect(throws: JSONError.self) { try message.jsonString() } }
    }

    @Test("Any: types of the caller, with their fields next to @type")
    func registry() throws {
        let message = AllKinds(any: .init(packing: AllKinds.Nested(id: 5)))
        let types = MessageRegistry([AllKinds.Nested.self])
        let json = #"{"any":{"@type":"type.googleapis.com/framecodec.test.AllKinds.Nested","id":5}}"#
        #expect(throws: JSONError.self) { try message.jsonString() }
        #expect(try message.jsonString(options: JSONEncodingOptions(types: types)) == json)
        #expect(try AllKinds(jsonString: json, options: JSONDecodingOptions(types: types)) == message)
    }

    @Test("Any inside Any, deeper than any budget")
    func nestedAny() throws {
        var any = Protobuf.`Any`(packing: Protobuf.Empty())
        for _ in 0..<2000 { any = Protobuf.`Any`(packing: any) }
        #expect(throws: JSONError.self) { try AllKinds(any: any).jsonString() }
    }

    @Test("Any: packing and unpacking")
    func packing() throws {
        let any = Protobuf.`Any`(packing: AllKinds.Nested(id: 5))
        #expect(any.typeURL == "type.googleapis.com/framecodec.test.AllKinds.Nested")
        #expect(any.holds(AllKinds.Nested.self) && !any.holds(AllKinds.self))
        #expect(try any.unpack(AllKinds.Nested.self) == AllKinds.Nested(id: 5))
        #expect(try any.unpack(AllKinds.self) == nil)
    }

    @Test("durations and timestamps from numbers")
    func time() {
        #expect(Protobuf.Timestamp(nanosecondsSinceEpoch: -1) == .init(seconds: -1, nanos: 999_999_999))
        #expect(Protobuf.Timestamp(nanosecondsSinceEpoch: .min).isValid)
        #expect(
            Protobuf.Duration(Swift.Duration.milliseconds(-1500)) == .init(seconds: -1, nanos: -500_000_000))
    }

    @Test("every day of 800 years comes back")
    func calendar() throws {
        var failures = 0
        for day in stride(from: Int64(-146_097), through: 146_097, by: 97) {
            let message = AllKinds(timestamp: .init(seconds: day * 86400 + 86399))
            if try AllKinds(jsonString: message.jsonString()) != message { failures += 1 }
        }
        #expect(failures == 0)
    }
}
