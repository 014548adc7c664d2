extension Protobuf.`Any` {
    /// What precedes the message name in type URLs that this library writes.
    public static let defaultTypeURLPrefix = "type.googleapis.com/"

    /// Wraps a message: its name and its serialised bytes.
    public init(packing message: any Message) {
        self.init(
            typeURL: Self.defaultTypeURLPrefix + type(of: message).schema.name,
            value: message.serializedBytes(deterministic: true)
        )
    }

    /// Full name of the message inside: what follows the last `/` of the type URL.
    public var messageName: String {
        typeURL.lastIndex(of: "/").map { String(typeURL[typeURL.index(after: $0)...]) } ?? typeURL
    }

    /// True when the message inside is of the given type.
    public func holds(_ type: any Message.Type) -> Bool { messageName == type.schema.name }

    /// Decodes the message inside.
    ///
    /// - Returns: nil when it is of another type.
    /// - Throws: ``WireError`` when its bytes are not such a message.
    public func unpack<M: Message>(_ type: M.Type) throws(WireError) -> M? {
        guard holds(type) else { return nil }
        return try M(serializedBytes: value)
    }
}
