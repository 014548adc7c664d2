import FrameCodec
import Testing

@Suite struct JSONTests {
    /// JSON that is both what is written and what is read.
    static let pairs: [(String, AllKinds)] = [
        ("{}", AllKinds()),
        (#"{"int32Field":-2147483648}"#, AllKinds(int32Field: .min)),
        (#"{"int64Field":"-9223372036854775808"}"#, AllKinds(int64Field: .min)),
        (#"{"uint64Field":"18446744073709551615"}"#, AllKinds(uint64Field: .max)),
        (
            #"{"sint32Field":-5,"sint64Field":"-6","fixed32Field":7,"fixed64Field":"8","#
                + #""sfixed32Field":-9,"sfixed64Field":"-10"}"#,
            AllKinds(
                sint32Field: -5, sint64Field: -6, fixed32Field: 7, fixed64Field: 8, sfixed32Field: -9,
                sfixed64Field: -10)
        ),
        (#"{"floatField":1.5,"doubleField":1e-07}"#, AllKinds(floatField: 1.5, doubleField: 1e-7)),
        (#"{"doubleField":3}"#, AllKinds(doubleField: 3)),
        (#"{"doubleField":-0.0}"#, AllKinds(doubleField: -0.0)),
        (#"{"doubleField":"Infinity"}"#, AllKinds(doubleField: .infinity)),
        (#"{"floatField":"-Infinity"}"#, AllKinds(floatField: -.infinity)),
        (
            #"{"boolField":true,"stringField":"a\"\\\n\u0001é😀"}"#,
            AllKinds(boolField: true, stringField: "a\"\\\n\u{1}é😀")
        ),
        (#"{"bytesField":"+/8="}"#, AllKinds(bytesField: [0xFB, 0xFF])),
        (#"{"color":"COLOR_BLUE"}"#, AllKinds(color: .blue)),
        (#"{"color":77}"#, AllKinds(color: Color(rawValue: 77))),
        (#"{"nested":{}}"#, AllKinds(nested: AllKinds.Nested())),
        (#"{"child":{"child":{"int32Field":1}}}"#, AllKinds(child: AllKinds(child: AllKinds(int32Field: 1)))),
        (
            #"{"optionalInt32":0,"optionalString":"","optionalBool":false}"#,
            AllKinds(optionalInt32: 0, optionalString: "", optionalBool: false)
        ),
        (
            #"{"packedInt32":[1,2],"packedColor":["COLOR_RED",5],"strings":["a"],"#
                + #""nestedList":[{},{"id":1}]}"#,
            AllKinds(
                packedInt32: [1, 2], packedColor: [.red, Color(rawValue: 5)], strings: ["a"],
                nestedList: [AllKinds.Nested(), AllKinds.Nested(id: 1)])
        ),
        (
            #"{"stringMap":{"":"x","b":""},"nestedMap":{"-3":{}},"#
                + #""colorMap":{"false":"COLOR_RED","true":9},"bytesMap":{"5":"AA=="}}"#,
            AllKinds(
                stringMap: ["": "x", "b": ""], nestedMap: [-3: AllKinds.Nested()],
                colorMap: [false: .red, true: Color(rawValue: 9)], bytesMap: [5: [0]])
        ),
        (#"{"choiceText":""}"#, AllKinds(choice: .choiceText(""))),
        (#"{"choiceNull":null}"#, AllKinds(choice: .choiceNull(.nullValue))),
        (
            #"{"webUrl":"u","ownerId":"1","@custom":"c","self":"s","largeNumber":2}"#,
            AllKinds(self_: "s", webURL: "u", ownerID: 1, customName: "c", largeNumber: 2)
        )
    ]

    /// The same members, whatever their order.
    private func members(_ json: String) -> [Character] { json.sorted() }

    @Test("both ways", arguments: pairs)
    func bothWays(_ json: String, _ message: AllKinds) throws {
        #expect(members(try message.jsonString()) == members(json))
        #expect(try AllKinds(jsonString: json) == message)
    }

    @Test("members come in the order of field numbers")
    func order() throws {
        let message = AllKinds(int32Field: 1, boolField: true, packedInt32: [3])
        #expect(try message.jsonString() == #"{"int32Field":1,"boolField":true,"packedInt32":[3]}"#)
    }

    @Test("NaN")
    func notANumber() throws {
        #expect(try AllKinds(doubleField: .nan).jsonString() == #"{"doubleField":"NaN"}"#)
        #expect(try AllKinds(jsonString: #"{"floatField":"NaN"}"#).floatField.isNaN)
    }

    @Test(
        "read leniently where proto-JSON says so",
        arguments: [
            (#" { "int32_field" : "5" } "#, AllKinds(int32Field: 5)),
            (#"{"int32Field":5.0}"#, AllKinds(int32Field: 5)),
            (#"{"int32Field":0.5e1}"#, AllKinds(int32Field: 5)),
            (#"{"int32Field":1.23E+2}"#, AllKinds(int32Field: 123)), (#"{"uint32Field":-0}"#, AllKinds()),
            (#"{"int64Field":-9223372036854775808}"#, AllKinds(int64Field: .min)),
            (#"{"doubleField":"1.5"}"#, AllKinds(doubleField: 1.5)),
            (#"{"bytesField":"-_8"}"#, AllKinds(bytesField: [0xFB, 0xFF])),
            (#"{"color":2}"#, AllKinds(color: .blue)),
            (
                #"{"int32Field":null,"strings":null,"stringMap":null,"nested":null,"optionalBool":null}"#,
                AllKinds()
            ),
            (#"{"choiceText":null,"choiceNumber":"3"}"#, AllKinds(choice: .choiceNumber(3))),
            (#"{"stringField":"\ud83d\ude00\/\u00e9\b\f"}"#, AllKinds(stringField: "😀/é\u{8}\u{C}")),
            (#"{"stringMap":{"a":"1"},"strings":[]}"#, AllKinds(stringMap: ["a": "1"]))
        ])
    func lenient(_ json: String, _ message: AllKinds) throws {
        #expect(try AllKinds(jsonString: json) == message)
    }

    @Test(
        "refused, with the place",
        arguments: [
            ("", "ends where '{' was expected"), ("{", "a string"), ("{}x", "after the document"),
            ("[]", "'{'"), ("null", "'{'"),
            (#"{"int32Field":1,}"#, "a string"), (#"{"int32Field" 1}"#, "':'"), (#"{'a':1}"#, "a string"),
            (#"{"int32Field":01}"#, "'}'"), (#"{"int32Field":1.5}"#, "integer"),
            (#"{"int32Field":2147483648}"#, "fit"),
            (#"{"int32Field":" 1"}"#, "integer"), (#"{"int32Field":"1x"}"#, "integer"),
            (#"{"int32Field":true}"#, "number"),
            (#"{"uint32Field":-1}"#, "fit"), (#"{"uint64Field":"18446744073709551616"}"#, "integer"),
            (#"{"int64Field":9223372036854775808}"#, "fit"), (#"{"int32Field":1e99}"#, "integer"),
            (#"{"int32Field":1e99999999999}"#, "integer"), (#"{"doubleField":1e999}"#, "double"),
            (#"{"floatField":1e39}"#, "float"), (#"{"doubleField":"nan"}"#, "double"),
            (#"{"doubleField":.5}"#, "number"),
            (#"{"boolField":1}"#, "true or false"), (#"{"boolField":"true"}"#, "true or false"),
            (#"{"boolField":nul}"#, "value"),
            (#"{"stringField":1}"#, "a string"), (#"{"stringField":"\ud83d"}"#, "surrogate"),
            (#"{"stringField":"\ude00"}"#, "surrogate"), (#"{"stringField":"\x"}"#, "escape"),
            (#"{"stringField":"a"#, "ends"),
            ("{\"stringField\":\"a\nb\"}", "escaped"), (#"{"bytesField":"a"}"#, "base64"),
            (#"{"bytesField":"a*=="}"#, "base64"),
            (#"{"color":"BLUE"}"#, "no value 'BLUE'"), (#"{"color":1.5}"#, "integer"),
            (#"{"unknown":1}"#, "no field 'unknown'"),
            (#"{"int32Field":1,"int32_field":2}"#, "given twice"),
            (#"{"choiceText":"a","choiceNumber":"1"}"#, "oneof"),
            (#"{"stringMap":{"a":"1","a":"2"}}"#, "given twice"),
            (#"{"nestedMap":{"1":{},"01":{}}}"#, "integer"),
            (#"{"strings":["a",null]}"#, "null"), (#"{"stringMap":{"a":null}}"#, "null"),
            (#"{"strings":"a"}"#, "'['"),
            (#"{"colorMap":{"1":0}}"#, "true or false"), (#"{"nested":[]}"#, "'{'")
        ])
    func refused(_ json: String, _ text: String) {
        let error = #expect(throws: JSONError.self) { try AllKinds(jsonString: json) }
        #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }

    @Test("the error names the path and the position")
    func errorPlace() {
        let error = #expect(throws: JSONError.self) {
            try AllKinds(jsonString: #"{"children":[{},{"nested":{"id":"x"}}]}"#)
        }
        #expect(error?.path == "children[1].nested.id")
        #expect(error?.offset == 35)
    }

    @Test("text that is not UTF-8")
    func invalidUTF8() {
        #expect(throws: JSONError.self) {
            try AllKinds(jsonBytes: utf8(#"{"stringField":""#) + [0xFF] + utf8(#""}"#))
        }
        #expect(throws: JSONError.self) {
            try AllKinds(jsonBytes: utf8(#"{"stringField":"\n"#) + [0xC3] + utf8(#""}"#))
        }
    }

    @Test("unknown members and enum names are skipped on request")
    func ignoresUnknown() throws {
        let options = JSONDecodingOptions(ignoresUnknownFields: true)
        let json =
            #"{"x":{"a":[1,"2",{"b":null}],"c":true},"int32Field":1,"color":"NEW","#
            + #""packedColor":["NEW","COLOR_RED"],"#
            + #""colorMap":{"true":"NEW","false":"COLOR_RED"}}"#
        let message = try AllKinds(jsonString: json, options: options)
        #expect(message == AllKinds(int32Field: 1, packedColor: [.red], colorMap: [false: .red]))
        #expect(throws: JSONError.self) { try AllKinds(jsonString: #"{"x":{"a":}}"#, options: options) }
        #expect(throws: JSONError.self) { try AllKinds(jsonString: #"{"x":[1 2]}"#, options: options) }
    }

    @Test("depth: 100 objects and arrays pass, one more does not, unknown ones included")
    func depth() throws {
        func nested(_ count: Int, _ name: String) -> String {
            String(repeating: "{\"\(name)\":", count: count - 1) + "{}"
                + String(repeating: "}", count: count - 1)
        }
        #expect(throws: Never.self) { try AllKinds(jsonString: nested(100, "child")) }
        let error = #expect(throws: JSONError.self) { try AllKinds(jsonString: nested(101, "child")) }
        #expect(error?.description.contains("maximumDepth") == true)
        let options = JSONDecodingOptions(ignoresUnknownFields: true)
        #expect(throws: JSONError.self) { try AllKinds(jsonString: nested(200_000, "x"), options: options) }
        let deep = String(repeating: "[", count: 100_000)
        #expect(throws: JSONError.self) { try AllKinds(jsonString: #"{"dynamicValue":"# + deep) }
        #expect(throws: Never.self) {
            try AllKinds(
                jsonString: #"{"dynamicValue":"# + String(repeating: "[", count: 99)
                    + String(repeating: "]", count: 99) + "}")
        }
    }

    @Test("options: default values, original names, pretty")
    func options() throws {
        let nested = AllKinds.Nested(id: 1)
        #expect(
            try nested.jsonString(options: JSONEncodingOptions(emitsDefaultValues: true))
                == #"{"id":1,"name":""}"#)
        #expect(
            try Proto2(number: 1).jsonString(options: JSONEncodingOptions(emitsDefaultValues: true))
                == #"{"number":1,"unpacked":[],"packed":[]}"#)
        let message = AllKinds(strings: ["a", "b"], stringMap: ["k": "v"], webURL: "u")
        let json = try message.jsonString(
            options: JSONEncodingOptions(usesOriginalNames: true, isPretty: true))
        #expect(
            json == """
                {
                  "strings": [
                    "a",
                    "b"
                  ],
                  "string_map": {
                    "k": "v"
                  },
                  "web_url": "u"
                }
                """)
        #expect(try AllKinds(jsonString: json) == message)
        let all = try AllKinds().jsonString(options: JSONEncodingOptions(emitsDefaultValues: true))
        #expect(all.contains(#""int64Field":"0""#) && all.contains(#""color":"COLOR_UNSPECIFIED""#))
        #expect(all.contains(#""stringMap":{}"#) && !all.contains("optionalInt32") && !all.contains("choice"))
        #expect(try AllKinds(jsonString: all) == AllKinds())
    }

    @Test("unknown fields are not in JSON, not even those with a known number")
    func unknownFields() throws {
        let message = try AllKinds(serializedBytes: hex("98 F4 01 05  0A 01 61  08 07"))
        #expect(try message.jsonString() == #"{"int32Field":7}"#)
    }

    @Test("decimal numbers are read to the nearest, however they are written")
    func decimals() throws {
        let texts = [
            "0.1", "123456.789", "-0.0", "9007199254740993", "9007199254740992.5", "0.30000000000000004",
            "1e22", "1e23", "4.35", "179769313486231570000000000000000000000", "0.000001",
            "2.2250738585072011e-308",
            "5e-324", "16777217", "16777216.9", "0.1000000014901161", "33554431.5", "8388608.5",
            "12345678901234567890"
        ]
        for text in texts {
            let message = try AllKinds(jsonString: #"{"doubleField":\#(text),"floatField":\#(text)}"#)
            #expect(message.doubleField.bitPattern == Double(text)?.bitPattern, "\(text)")
            #expect(message.floatField.bitPattern == Float(text)?.bitPattern, "\(text)")
        }
    }

    @Test("numbers are written in full: limits, whole numbers, powers of ten")
    func numbers() throws {
        let doubles: [(Double, String)] = [
            (9_007_199_254_740_991, "9007199254740991"), (1e15, "1000000000000000"), (1e16, "1e+16"), (-5, "-5"),
            (0.5, "0.5"), (1e21, "1e+21")
        ]
        for (value, text) in doubles {
            #expect(try AllKinds(doubleField: value).jsonString() == #"{"doubleField":\#(text)}"#)
        }
        for power in 0..<20 {
            var value: UInt64 = 1
            for _ in 0..<power { value *= 10 }
            for near in [value - 1, value, value + 1] where near > 0 {
                #expect(try AllKinds(uint64Field: near).jsonString() == #"{"uint64Field":"\#(near)"}"#)
            }
        }
    }

    @Test("strings of every length, with a special character at every place", arguments: 0...33)
    func strings(_ count: Int) throws {
        for special in ["", "\"", "\\", "\u{1F}", "\u{7F}", "é", "\n", "/"] {
            for place in 0...count {
                let text =
                    String(repeating: "a", count: place) + special + String(repeating: "b", count: count - place)
                let json = try AllKinds(stringField: text).jsonString()
                let message = try AllKinds(jsonString: json)
                guard message.stringField == text else {
                    Issue.record("\(json)")
                    return
                }
            }
        }
    }

    @Test("map members come in the order of their keys, numbers by value")
    func mapOrder() throws {
        let message = AllKinds(
            stringMap: ["b": "", "a": "", "aa": "", "": "", "longer-than-eight-b": "", "longer-than-eight-a": ""],
            nestedMap: [10: .init(), -3: .init(), 9: .init()], bytesMap: [10: [], 9: []])
        let order =
            #"{"stringMap":{"":"","a":"","aa":"","b":"","longer-than-eight-a":"","longer-than-eight-b":""},"#
            + #""nestedMap":{"-3":{},"9":{},"10":{}},"bytesMap":{"9":"","10":""}}"#
        #expect(members(try message.jsonString()) == members(order))
        #expect(try message.jsonString().contains(#""":"","a":"","aa":"","b":"","longer-than-eight-a""#))
        #expect(try message.jsonString().contains(#"{"-3":{},"9":{},"10":{}}"#))
        #expect(try AllKinds(jsonString: order) == message)
        let object = #"{"struct":{"a":1,"b":2,"c":{"x":1,"y":2}}}"#
        #expect(try AllKinds(jsonString: object).jsonString() == object)
    }
}
