import FrameCodec
import Testing

/// A message by hand, with a field that is marked `debug_redact`.
private struct Credentials: Message {
    var user = ""
    var password = ""
    var inner: [Credentials] = []
    var unknownFields = UnknownFields()

    static let schema = MessageSchema(
        "test.Credentials",
        [
            .init(1, "user", .string),
            .init(2, "password", .string, redacted: true),
            .init(3, "inner", .message(Credentials.self), .repeated)
        ])

    mutating func visit<V: FieldVisitor & ~Copyable>(_ v: inout V) throws(V.Failure) {
        try v.field(3, MessageField<Credentials>.self, &inner)
        try v.field(2, StringField.self, &password)
        try v.field(1, StringField.self, &user)
    }
}

/// All fields are marked `debug_redact`.
private struct Secretive: Message {
    var secrets: [String: String] = [:]
    var mode = Color()
    var any: Protobuf.`Any`?
    var mask: Protobuf.FieldMask?
    var time: Protobuf.Timestamp?
    var unknownFields = UnknownFields()

    static let schema = MessageSchema(
        "test.Secretive",
        [
            .init(1, "secrets", .map(key: .string, value: .string), .repeated, redacted: true),
            .init(2, "mode", .enumeration(Color.self), redacted: true),
            .init(3, "any", .message(Protobuf.`Any`.self), .explicit, redacted: true),
            .init(4, "mask", .message(Protobuf.FieldMask.self), .explicit, redacted: true),
            .init(5, "time", .message(Protobuf.Timestamp.self), .explicit, redacted: true)
        ])

    mutating func visit<V: FieldVisitor & ~Copyable>(_ v: inout V) throws(V.Failure) {
        try v.field(5, MessageField<Protobuf.Timestamp>.self, &time)
        try v.field(4, MessageField<Protobuf.FieldMask>.self, &mask)
        try v.field(3, MessageField<Protobuf.`Any`>.self, &any)
        try v.field(2, EnumField<Color>.self, &mode)
        try v.map(1, MapField<StringField, StringField>.self, &secrets)
    }
}

@Suite struct MessageTextTests {
    @Test("redacted fields show in no text, at any depth")
    func redaction() {
        var message = Credentials()
        message.user = "ann"
        message.password = "hunter2"
        message.inner = [message]
        var dumped = ""
        dump(message, to: &dumped)
        let texts = [
            "\(message)", String(describing: message), String(reflecting: message), "\([message])", dumped
        ]
        for text in texts { #expect(!text.contains("hunter2"), "\(text)") }
        #expect(
            "\(message)"
                == #"test.Credentials {user: "ann" password: [redacted] "#
                + #"inner: {user: "ann" password: [redacted]}}"#
        )
    }

    @Test("errors do not quote values")
    func errors() {
        let error = #expect(throws: JSONError.self) {
            try Credentials(jsonString: #"{"password":"hunter2\x"}"#)
        }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test(
        "JSON errors tell nothing of a redacted field, not even names in it",
        arguments: [
            #"{"secrets":{"hunter2":1}}"#, #"{"secrets":{"hunter2":"a","hunter2":"b"}}"#, #"{"mode":"hunter2"}"#,
            #"{"any":{"@type":"x/hunter2"}}"#, #"{"mask":"hunter2_x"}"#, #"{"time":"hunter2"}"#
        ])
    func redactedNames(_ json: String) throws {
        let error = try #require(throws: JSONError.self) { try Secretive(jsonString: json) }
        #expect(!error.description.contains("hunter2"), "\(error)")
        #expect(error.description.contains("redacted") && !error.path.isEmpty)
    }

    @Test("writing JSON: neither")
    func redactedWriting() throws {
        var message = Secretive()
        message.any = Protobuf.`Any`(typeURL: "x/hunter2", value: [])
        let error = try #require(throws: JSONError.self) { try message.jsonString() }
        #expect(error.path == "any" && !error.description.contains("hunter2"), "\(error)")
    }

    @Test("a field called description does not change how the message prints")
    func description() {
        #expect("\(AllKinds(description: "d"))" == #"framecodec.test.AllKinds {description: "d"}"#)
    }

    @Test("scalars, packed fields, maps, enums, bytes, unknown fields")
    func text() throws {
        let message = AllKinds(bytesField: [1, 2], color: .blue, packedInt32: [1, -2], stringMap: ["k": "v"])
        #expect(
            "\(message)" == "framecodec.test.AllKinds {bytes_field: <2 bytes> color: COLOR_BLUE "
                + #"packed_int32: [1 -2] string_map: "k" = "v"}"#)
        #expect("\(try Nothing(serializedBytes: hex("08 01")))" == "framecodec.test.Nothing {1: unknown}")
        #expect("\(Color(rawValue: 9)) \(Color.red)" == "9 COLOR_RED")
    }

    @Test("schemas answer by number and by either name")
    func schema() {
        let schema = AllKinds.schema
        #expect(schema.name == "framecodec.test.AllKinds")
        #expect(schema.oneofs == ["choice"])
        #expect(schema.field(number: 1)?.jsonName == "int32Field")
        #expect(schema.field(number: 536_870_911)?.name == "large_number")
        #expect(schema.field(number: 63)?.oneof == 0)
        #expect(
            schema.field(number: 250) == nil && schema.field(number: -1) == nil
                && schema.field(number: 0) == nil)
        #expect(schema.field(named: "webUrl")?.number == 104 && schema.field(named: "web_url")?.number == 104)
        #expect(schema.field(named: "@custom")?.name == "custom_name")
    }
}
