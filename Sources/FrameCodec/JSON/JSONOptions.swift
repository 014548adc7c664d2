/// How messages become proto-JSON.
public struct JSONEncodingOptions: Sendable {
    /// Write fields without explicit presence even when they have their default value. Default false.
    public var emitsDefaultValues: Bool
    /// Names as in the .proto file instead of lowerCamelCase. Default false.
    public var usesOriginalNames: Bool
    /// Line breaks and two blanks of indentation. Default false.
    public var isPretty: Bool
    /// Messages that may stand in a `google.protobuf.Any`, besides the well-known types.
    public var types: MessageRegistry

    public init(
        emitsDefaultValues: Bool = false, usesOriginalNames: Bool = false, isPretty: Bool = false,
        types: MessageRegistry = MessageRegistry()
    ) {
        self.emitsDefaultValues = emitsDefaultValues
        self.usesOriginalNames = usesOriginalNames
        self.isPretty = isPretty
        self.types = types
    }
}

/// How proto-JSON becomes messages.
public struct JSONDecodingOptions: Sendable {
    /// Skip members that the message does not have, and enum names that the enum does not have, instead of
    /// refusing them. Default false.
    public var ignoresUnknownFields: Bool
    /// Deepest nesting of objects and arrays; 100 by default.
    public var maximumDepth: Int
    /// Messages that may stand in a `google.protobuf.Any`, besides the well-known types.
    public var types: MessageRegistry

    public init(
        ignoresUnknownFields: Bool = false, maximumDepth: Int = 100,
        types: MessageRegistry = MessageRegistry()
    ) {
        self.ignoresUnknownFields = ignoresUnknownFields
        self.maximumDepth = maximumDepth
        self.types = types
    }
}

/// Message types by their full name. Holds the well-known types from the start.
public struct MessageRegistry: Sendable {
    private var types: [String: any Message.Type]

    public init(_ types: [any Message.Type] = []) {
        self.types = Self.wellKnown
        for type in types { self.types[type.schema.name] = type }
    }

    /// The type with this full name, such as `google.protobuf.Duration`.
    public subscript(name: String) -> (any Message.Type)? { types[name] }

    private static let wellKnown: [String: any Message.Type] = {
        let types: [any Message.Type] = [
            Protobuf.`Any`.self, Protobuf.Duration.self, Protobuf.Empty.self, Protobuf.FieldMask.self,
            Protobuf.ListValue.self, Protobuf.Struct.self, Protobuf.Timestamp.self, Protobuf.Value.self,
            Protobuf.BoolValue.self, Protobuf.BytesValue.self, Protobuf.DoubleValue.self,
            Protobuf.FloatValue.self,
            Protobuf.Int32Value.self, Protobuf.Int64Value.self, Protobuf.StringValue.self,
            Protobuf.UInt32Value.self,
            Protobuf.UInt64Value.self
        ]
        return Dictionary(types.map { ($0.schema.name, $0) }, uniquingKeysWith: { first, _ in first })
    }()
}
