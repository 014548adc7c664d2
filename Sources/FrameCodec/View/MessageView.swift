/// A serialised message that was checked once, as a whole, and decodes a field when it is asked for.
///
/// ```swift
/// let list = try MessageView<ListRepositoriesResponse>(serializedBytes: bytes)
/// let token = list.nextPageToken
/// for repository in list.repositories where repository.organizationID == 42 { print(repository.name) }
/// ```
///
/// Checking finds everything that decoding would: structure, UTF-8, limits. It allocates nothing and costs a
/// fraction of decoding. Each access scans the message's own fields, without going into nested ones, so a field
/// that is needed often is best kept, and a message that is needed whole best decoded: ``message``.
@dynamicMemberLookup
public struct MessageView<M: Message>: Sendable {
    let bytes: [UInt8]
    let range: Range<Int>
    let limits: WireLimits

    /// - Throws: ``WireError`` when the bytes would not decode.
    public init(serializedBytes: [UInt8], limits: WireLimits = WireLimits()) throws(WireError) {
        let checks = M.schema.checks
        try serializedBytes.withBytes { bytes throws(WireError) in
            var reader = WireReader(bytes, limits: limits)
            try checks.check(&reader)
        }
        self.init(checked: serializedBytes, 0..<serializedBytes.count, limits)
    }

    init(checked bytes: [UInt8], _ range: Range<Int>, _ limits: WireLimits) {
        self.bytes = bytes
        self.range = range
        self.limits = limits
    }

    /// The bytes of this message.
    public var serializedBytes: ArraySlice<UInt8> { bytes[range] }

    /// The whole message, decoded.
    public var message: M { decode { _ in true } }

    /// One field of any kind; nothing else is decoded. A path that leads through a computed property, such as a
    /// field that may contain its own message, decodes the whole message.
    public subscript<Value>(dynamicMember path: KeyPath<M, Value>) -> Value {
        let fields = fields(at: path)
        return decode { number in fields.isEmpty || fields.contains { $0.number == number } }[keyPath: path]
    }

    /// A nested message; nil when it is absent.
    public subscript<Nested: Message>(dynamicMember path: KeyPath<M, Nested?>) -> MessageView<Nested>? {
        guard let field = fields(at: path).first, field.oneof == nil else {
            return message[keyPath: path].map { nested in
                let bytes = nested.serializedBytes()
                return MessageView<Nested>(checked: bytes, 0..<bytes.count, limits)
            }
        }
        let occurrences = RepeatedView<Nested>(bytes: bytes, range: range, limits: limits, number: field.number)
        var iterator = occurrences.makeIterator()
        guard let first = iterator.next() else { return nil }
        guard iterator.next() != nil else { return first }
        // Several occurrences are merged, which is what decoding does with their bytes in a row.
        let joined = occurrences.flatMap(\.serializedBytes)
        return MessageView<Nested>(checked: joined, 0..<joined.count, limits)
    }

    /// The elements of a repeated message field, in order, each as a view.
    public subscript<Nested: Message>(dynamicMember path: KeyPath<M, [Nested]>) -> RepeatedView<Nested> {
        // Arrays are never behind a computed property in generated code; number 0 is no field.
        RepeatedView(bytes: bytes, range: range, limits: limits, number: fields(at: path).first?.number ?? 0)
    }

    /// The fields that a property stands for: one, all of a oneof, or none when it is computed.
    private func fields(at path: PartialKeyPath<M>) -> [FieldSchema] {
        guard let offset = MemoryLayout<M>.offset(of: path) else { return [] }
        return M.schema.fields.filter { $0.storage.contains(offset) }
    }

    private func decode(_ isWanted: (Int) -> Bool) -> M {
        bytes.withUnsafeBytes { memory in
            var message = M()
            var reader = WireReader(UnsafeRawBufferPointer(rebasing: memory[range]), limits: limits)
            // The bytes were checked against the same limits, so nothing is thrown and nothing is lost.
            do throws(WireError) {
                while let tag = try reader.nextTag() {
                    guard isWanted(Int(tag >> 3)) else {
                        try reader.skip(tag)
                        continue
                    }
                    reader.tag = tag
                    try message.visit(&reader)
                    if reader.tag != 0 { try reader.readUnknown(tag, into: &message.unknownFields) }
                }
            } catch {}
            return message
        }
    }
}

/// The elements of a repeated message field of a ``MessageView``.
public struct RepeatedView<M: Message>: Sequence, Sendable {
    let bytes: [UInt8]
    let range: Range<Int>
    let limits: WireLimits
    let number: Int

    public func makeIterator() -> Iterator { Iterator(view: self, position: range.lowerBound) }

    public struct Iterator: IteratorProtocol {
        fileprivate let view: RepeatedView
        fileprivate var position: Int

        public mutating func next() -> MessageView<M>? {
            let tag = UInt32(truncatingIfNeeded: view.number) << 3 | WireType.lengthDelimited
            let rest = position..<view.range.upperBound
            let found = view.bytes.withUnsafeBytes { memory -> Range<Int>? in
                var reader = WireReader(UnsafeRawBufferPointer(rebasing: memory[rest]))
                // Checked bytes; see MessageView.
                while let next = try? reader.nextTag() {
                    guard next == tag else {
                        guard (try? reader.skip(next)) != nil else { return nil }
                        continue
                    }
                    guard let value = try? reader.readLengthDelimited() else { return nil }
                    let end = rest.lowerBound + reader.offset
                    return (end - value.count)..<end
                }
                return nil
            }
            position = found?.upperBound ?? view.range.upperBound
            return found.map { MessageView(checked: view.bytes, $0, view.limits) }
        }
    }
}
