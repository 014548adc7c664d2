/// Strings; what is received must be UTF-8.
public enum StringField: FieldCodec {
    public static var kind: FieldKind { .string }
    @inlinable public static var wireType: UInt32 { WireType.lengthDelimited }
    @inlinable public static var defaultValue: String { "" }
    @inlinable public static func isDefault(_ value: String) -> Bool { value.isEmpty }
    @inlinable public static func byteCount(of value: String) -> Int {
        WireSize.lengthDelimited(value.utf8.count)
    }

    @inlinable
    public static func writeValue(_ value: String, into writer: inout WireWriter) {
        let count = value.utf8.count
        copy(value, count, to: writer.claim(count))
        writer.writeVarint(UInt64(truncatingIfNeeded: count))
    }

    @inlinable @inline(__always)
    public static func writePresent(_ field: Int, _ value: String, _ writer: inout WireWriter) {
        guard field < 16 else {
            writeValue(value, into: &writer)
            return writer.writeTag(field, wireType)
        }
        let tag = UInt8(truncatingIfNeeded: field &<< 3) | UInt8(truncatingIfNeeded: wireType)
        writer.position = write(tag, value, writer.position, writer.start)
    }

    /// Tag, length and string in front of `position`; returns where they begin. By value, see
    /// ``WireWriter/varint(_:_:_:)``.
    @inlinable @inline(never)
    static func write(
        _ tag: UInt8, _ value: String, _ position: UnsafeMutableRawPointer, _ start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        let begin = value.utf8.withContiguousStorageIfAvailable { source -> UnsafeMutableRawPointer? in
            let count = source.count
            guard let base = source.baseAddress, count < 0x80, count &+ 2 <= position - start else { return nil }
            let target = position - count
            WireWriter.copy(count, from: base, to: target)
            let head = UInt16(tag) | UInt16(truncatingIfNeeded: count) &<< 8
            (target - 2).storeBytes(of: head.littleEndian, as: UInt16.self)
            return target - 2
        }
        if case .some(.some(let begin)) = begin { return begin }
        return writeLong(tag, value, position, start)
    }

    @usableFromInline
    static func writeLong(
        _ tag: UInt8, _ value: String, _ position: UnsafeMutableRawPointer, _ start: UnsafeMutableRawPointer
    ) -> UnsafeMutableRawPointer {
        var writer = WireWriter(UnsafeMutableRawBufferPointer(start: start, count: position - start))
        writeValue(value, into: &writer)
        writer.writeVarint(UInt64(tag))
        return writer.position
    }

    /// Copies the `count` bytes of `value`.
    @inlinable @inline(__always)
    static func copy(_ value: String, _ count: Int, to memory: UnsafeMutableRawPointer) {
        let copied: Void? = value.utf8.withContiguousStorageIfAvailable { source in
            if let base = source.baseAddress { WireWriter.copy(count, from: base, to: memory) }
        }
        if copied == nil {
            // A bridged string of another platform; native ones are contiguous.
            for (offset, byte) in value.utf8.enumerated() where offset < count {
                memory.storeBytes(of: byte, toByteOffset: offset, as: UInt8.self)
            }
        }
    }

    @inlinable
    public static func mergeValue(into value: inout String, from reader: inout WireReader) throws(WireError) {
        let bytes = try reader.readLengthDelimited()
        guard UTF8Validation.isValid(bytes) else { throw reader.error(.invalidUTF8) }
        value = String(decoding: bytes, as: UTF8.self)
    }
}

public enum BytesField: FieldCodec {
    public static var kind: FieldKind { .bytes }
    @inlinable public static var wireType: UInt32 { WireType.lengthDelimited }
    @inlinable public static var defaultValue: [UInt8] { [] }
    @inlinable public static func isDefault(_ value: [UInt8]) -> Bool { value.isEmpty }
    @inlinable public static func byteCount(of value: [UInt8]) -> Int {
        WireSize.lengthDelimited(value.count)
    }

    @inlinable
    public static func writeValue(_ value: [UInt8], into writer: inout WireWriter) {
        value.withUnsafeBytes { writer.writeBytes($0) }
        writer.writeVarint(UInt64(truncatingIfNeeded: value.count))
    }

    @inlinable
    public static func mergeValue(into value: inout [UInt8], from reader: inout WireReader) throws(WireError)
    {
        value = [UInt8](try reader.readLengthDelimited())
    }
}

/// Nested messages; a second occurrence is merged into the first.
public enum MessageField<Value: Message>: FieldCodec {
    public static var kind: FieldKind { .message(Value.self) }
    @inlinable public static var wireType: UInt32 { WireType.lengthDelimited }
    @inlinable public static var defaultValue: Value { Value() }
    /// A message has no default value that could be left out: presence is explicit.
    @inlinable public static func isDefault(_ value: Value) -> Bool { false }
    @inlinable public static func byteCount(of value: Value) -> Int {
        WireSize.lengthDelimited(WireSizer.byteCount(of: value))
    }

    @inlinable
    public static func byteCount(inPlace value: inout Value) -> Int {
        WireSize.lengthDelimited(WireSizer.byteCount(inPlace: &value))
    }

    @inlinable
    public static func writeValue(_ value: Value, into writer: inout WireWriter) {
        let end = writer.bytesLeft
        writer.write(value)
        writer.writeVarint(UInt64(truncatingIfNeeded: end &- writer.bytesLeft))
    }

    @inlinable @inline(__always)
    public static func writePresent(_ field: Int, inPlace value: inout Value, _ writer: inout WireWriter) {
        writer.apart { writer in
            let end = writer.bytesLeft
            writer.write(inPlace: &value)
            writer.writeVarint(UInt64(truncatingIfNeeded: end &- writer.bytesLeft))
        }
        writer.writeTag(field, wireType)
    }

    @inlinable
    public static func mergeValue(into value: inout Value, from reader: inout WireReader) throws(WireError) {
        let outer = try reader.enterMessage()
        try value.merge(from: &reader)
        reader.leaveMessage(outer)
    }
}
