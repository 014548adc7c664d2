/// Fields that a message received and does not know, in wire format and in the order they came.
///
/// They are written back after the known fields, so that a newer peer's data passes through an older program.
public struct UnknownFields: Sendable, Hashable {
    /// Serialised fields: tags and values.
    public private(set) var bytes: [UInt8] = []

    @inlinable
    public init() {}

    @inlinable
    public var isEmpty: Bool { bytes.isEmpty }

    @inlinable
    public var byteCount: Int { bytes.count }

    public mutating func removeAll() { bytes = [] }

    mutating func append(tag: UInt32, value: UnsafeRawBufferPointer) {
        var rest = tag
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
        bytes.append(contentsOf: value)
    }

    /// The last varint that was received for `field`; nil when there is none.
    ///
    /// For options that a compiled-in descriptor does not know yet.
    public func lastVarint(field: Int) -> UInt64? {
        bytes.withUnsafeBytes { memory in
            var reader = WireReader(memory)
            var found: UInt64?
            // What is stored here was well formed when it came in, so reading it again cannot fail.
            while let tag = try? reader.nextTag() {
                if tag == UInt32(truncatingIfNeeded: field) << 3 | WireType.varint {
                    guard let value = try? reader.readVarint() else { break }
                    found = value
                } else {
                    guard (try? reader.skip(tag)) != nil else { break }
                }
            }
            return found
        }
    }
}
