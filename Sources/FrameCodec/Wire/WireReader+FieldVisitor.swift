/// One visit for each tag: the field with that tag reads its value and sets ``tag`` to 0, the others do
/// nothing. The compiler turns the comparisons with constants into a switch.
extension WireReader: FieldVisitor {
    public typealias Failure = WireError

    /// Reads fields up to the limit on top of what `message` has; see ``Message/merge(from:)``.
    @inlinable
    public mutating func read<M: Message>(into message: inout M) throws(WireError) {
        while let next = try nextTag() {
            tag = next
            try message.visit(&self)
            if tag != 0 { try readUnknown(tag, into: &message.unknownFields) }
        }
    }

    @inlinable @inline(__always)
    func isTag(_ number: Int, _ wireType: UInt32) -> Bool {
        tag == UInt32(truncatingIfNeeded: number) &<< 3 | wireType
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value
    ) throws(WireError) {
        guard isTag(number, Codec.wireType) else { return }
        try Codec.read(&value, &self)
        tag = 0
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Codec.Value?
    ) throws(WireError) {
        guard isTag(number, Codec.wireType) else { return }
        try Codec.read(&value, &self)
        tag = 0
    }

    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ value: inout Indirect<Codec.Value>
    ) throws(WireError) {
        guard isTag(number, Codec.wireType) else { return }
        if value.storage.isEmpty { value.storage.append(Codec.defaultValue) }
        // Not empty, see above. In place: taking the value out would copy it twice for each level.
        try Codec.mergeValue(into: &value.storage[0], from: &self)
        tag = 0
    }

    /// Scalars may arrive packed or not, whatever the .proto says.
    @inlinable @inline(__always)
    public mutating func field<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) throws(WireError) {
        if isTag(number, Codec.wireType) {
            if Codec.wireType == WireType.lengthDelimited, values.isEmpty, position < limit {
                values.reserveCapacity(elementCount(MemoryLayout<Codec.Value>.stride))
            }
            try Codec.read(&values, &self)
            tag = 0
        } else if Codec.wireType != WireType.lengthDelimited, isTag(number, WireType.lengthDelimited) {
            try Codec.readPackable(&values, tag, &self)
            tag = 0
        }
    }

    @inlinable @inline(__always)
    public mutating func packed<Codec: FieldCodec>(
        _ number: Int, _ codec: Codec.Type, _ values: inout [Codec.Value]
    ) throws(WireError) {
        try field(number, codec, &values)
    }

    @inlinable @inline(__always)
    public mutating func map<Key: MapKeyCodec, Element: FieldCodec>(
        _ number: Int, _ codec: MapField<Key, Element>.Type, _ map: inout [Key.Value: Element.Value]
    ) throws(WireError) {
        guard isTag(number, WireType.lengthDelimited) else { return }
        try MapField<Key, Element>.read(&map, &self)
        tag = 0
    }

    /// A message is merged into the one that is there; any other value and any other case is replaced.
    @inlinable @inline(__always)
    public mutating func member<Codec: FieldCodec, Oneof>(
        _ number: Int, _ codec: Codec.Type, _ oneof: inout Oneof?,
        _ make: (Codec.Value) -> Oneof, _ value: (Oneof) -> Codec.Value?
    ) throws(WireError) {
        guard isTag(number, Codec.wireType) else { return }
        var current = oneof.take().flatMap(value) ?? Codec.defaultValue
        try Codec.mergeValue(into: &current, from: &self)
        oneof = make(current)
        tag = 0
    }
}
