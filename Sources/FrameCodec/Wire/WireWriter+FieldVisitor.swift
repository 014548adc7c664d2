extension WireWriter: FieldVisitor {
    public typealias Failure = Never

    /// Writes a message in front of what is there.
    @inlinable
    public mutating func write<M: Message>(_ message: M) {
        write(message.unknownFields)
        message.visitUnchanged(&self)
    }

    /// The same where the message lies: handing it over by value may copy it. It is not changed.
    @inlinable
    mutating func write<M: Message>(inPlace message: inout M) {
        write(message.unknownFields)
        message.visit(&self)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value
    ) {
        Codec.write(number, value, &self)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value?
    ) {
        Codec.write(number, &value, &self)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Indirect<Codec.Value>
    ) {
        Codec.write(number, value.storage, &self)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) {
        Codec.write(number, values, &self)
    }

    @inlinable @inline(__always)
    public mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) {
        Codec.writePacked(number, values, &self)
    }

    @inlinable @inline(__always)
    public mutating func map<Key: MapKeyCodec, Element: FieldCodec>(
        _ number: Int, _ codec: MapField<Key, Element>.Type, _ map: inout [Key.Value: Element.Value]
    ) {
        MapField<Key, Element>.write(number, map, &self)
    }

    @inlinable @inline(__always)
    public mutating func member<Codec: FieldCodec, Oneof>(
        _ number: Int, _ codec: Codec.Type, _ oneof: inout Oneof?,
        _ make: (Codec.Value) -> Oneof, _ value: (Oneof) -> Codec.Value?
    ) {
        guard let oneof, let value = value(oneof) else { return }
        Codec.writePresent(number, value, &self)
    }
}
