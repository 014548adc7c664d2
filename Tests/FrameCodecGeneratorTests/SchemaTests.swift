import FrameCodec
import Testing

@testable import FrameCodecGenerator

/// A message by hand, described by whatever descriptor a test makes.
private struct Sample: Message {
    var secret = ""
    var choice: Choice?
    var maybe: Int32?
    var unknownFields = UnknownFields()

    enum Choice: Sendable, Hashable { case number(Int64) }

    static let schema = MessageSchema("unused", [])

    mutating func visit<V: FieldVisitor & ~Copyable>(_ v: inout V) throws(V.Failure) {
        try v.field(3, Int32Field.self, &maybe)
        try v.member(2, Int64Field.self, &choice, Choice.number) {
            if case .number(let value) = $0 { value } else { nil }
        }
        try v.field(1, StringField.self, &secret)
    }
}

@Suite struct SchemaTests {
    @Test("names, oneofs and debug_redact come from the descriptor, kinds from the fields")
    func fromDescriptor() throws {
        var secret = Field("secret", 1, .string)
        // Older descriptors do not know debug_redact: it is among the unknown fields of the options.
        secret.options = try Descriptors.FieldOptions(serializedBytes: [0x80, 0x01, 0x01])
        secret.jsonName = "@secret"
        let inner = MessageType(
            name: "Inner",
            field: [
                secret, Field(name: "number", number: 2, label: .optional, type: .int64, oneofIndex: 0),
                Field(name: "maybe", number: 3, label: .optional, type: .int32, oneofIndex: 1, proto3Optional: true)
            ],
            oneofDecl: [.init(name: "choice"), .init(name: "_maybe")])
        let file = File(
            name: "s.proto", package: "s",
            messageType: [MessageType(name: "First"), MessageType(name: "Outer", nestedType: [inner])], syntax: "proto3"
        )
        let descriptor = FileDescriptor(name: "s.proto", serializedBytes: file.serializedBytes())
        let schema = MessageSchema(Sample.self, descriptor, 1, 0)
        #expect(schema.name == "s.Outer.Inner")
        #expect(schema.oneofs == ["choice"])
        #expect(schema.fields.map(\.name) == ["secret", "number", "maybe"])
        #expect(schema.fields.map(\.jsonName) == ["@secret", "number", "maybe"])
        #expect(schema.fields.map(\.isRedacted) == [true, false, false])
        #expect(schema.fields.map(\.oneof) == [nil, 0, nil])
        #expect(schema.fields.map(\.cardinality) == [.implicit, .explicit, .explicit])
    }

    @Test("enums at the top and inside of messages")
    func enums() {
        let inside = Descriptors.EnumDescriptorProto(
            name: "Mode", value: [.init(name: "MODE_A", number: 0), .init(name: "MODE_B", number: -7)])
        let file = File(
            name: "s.proto", messageType: [MessageType(name: "M", enumType: [.init(name: "Zero"), inside])],
            enumType: [.init(name: "Top", value: [.init(name: "TOP", number: 0)])], syntax: "proto3")
        let descriptor = FileDescriptor(name: "s.proto", serializedBytes: file.serializedBytes())
        #expect(EnumSchema(descriptor, 0).name == "Top")
        let mode = EnumSchema(descriptor, 0, 1)
        #expect(mode.name == "M.Mode")
        #expect(mode.number(of: "MODE_B") == -7)
    }
}
