/// Walks over the fields of a message. Generated code lists each field once, in
/// ``Message/visit(_:)``; sizes, writing, reading and the schema are visitors, and the compiler makes
/// straight code of each pair of message and visitor.
///
/// A message hands its fields over from the highest number to the lowest, because ``WireWriter`` goes
/// backwards. Values are `inout` so that no visitor copies one; only ``WireReader`` changes them.
public protocol FieldVisitor: ~Copyable {
    associatedtype Failure: Error
    /// A field with implicit presence.
    mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value
    ) throws(Failure)
    /// A field with explicit presence.
    mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value?
    ) throws(Failure)
    /// A message that may contain itself.
    mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Indirect<Codec.Value>
    ) throws(Failure)
    /// A repeated field, one tag to each element.
    mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) throws(Failure)
    /// A repeated field that is written packed.
    mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) throws(Failure)
    mutating func map<Key: MapKeyCodec, Element: FieldCodec>(
        _ number: Int, _ codec: MapField<Key, Element>.Type, _ map: inout [Key.Value: Element.Value]
    ) throws(Failure)
    /// One field of a oneof: how its case is made, and its value when the oneof is that case.
    mutating func member<Codec: FieldCodec, Oneof>(
        _ number: Int, _ codec: Codec.Type, _ oneof: inout Oneof?,
        _ make: (Codec.Value) -> Oneof, _ value: (Oneof) -> Codec.Value?
    ) throws(Failure)
}

/// Adds up the size of a message.
public struct WireSizer: FieldVisitor {
    public typealias Failure = Never

    @usableFromInline var byteCount: Int

    /// What `message` takes when serialised.
    @inlinable
    public static func byteCount<M: Message>(of message: M) -> Int {
        var sizer = WireSizer(byteCount: message.unknownFields.byteCount)
        message.visitUnchanged(&sizer)
        return sizer.byteCount
    }

    /// The same where the message lies: handing it over by value may copy it. It is not changed.
    @inlinable
    static func byteCount<M: Message>(inPlace message: inout M) -> Int {
        var sizer = WireSizer(byteCount: message.unknownFields.byteCount)
        message.visit(&sizer)
        return sizer.byteCount
    }

    @inlinable
    init(byteCount: Int) { self.byteCount = byteCount }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value
    ) {
        byteCount &+= Codec.size(number, value)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value?
    ) {
        byteCount &+= Codec.size(number, &value)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Indirect<Codec.Value>
    ) {
        byteCount &+= Codec.size(number, value.storage)
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) {
        byteCount &+= Codec.size(number, values)
    }

    @inlinable @inline(__always)
    public mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) {
        byteCount &+= Codec.sizePacked(number, values)
    }

    @inlinable @inline(__always)
    public mutating func map<Key: MapKeyCodec, Element: FieldCodec>(
        _ number: Int, _ codec: MapField<Key, Element>.Type, _ map: inout [Key.Value: Element.Value]
    ) {
        byteCount &+= MapField<Key, Element>.size(number, map)
    }

    @inlinable @inline(__always)
    public mutating func member<Codec: FieldCodec, Oneof>(
        _ number: Int, _ codec: Codec.Type, _ oneof: inout Oneof?,
        _ make: (Codec.Value) -> Oneof, _ value: (Oneof) -> Codec.Value?
    ) {
        guard let oneof, let value = value(oneof) else { return }
        byteCount &+= Codec.sizePresent(number, value)
    }
}
