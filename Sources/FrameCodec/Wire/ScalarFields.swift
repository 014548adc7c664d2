/// A kind of field that is a varint on the wire.
public protocol VarintCodec: FieldCodec {
    /// What the varint says.
    static func wire(_ value: Value) -> UInt64
    /// The other way. Bits too many are dropped, as every implementation does.
    static func value(wire: UInt64) -> Value
}

extension VarintCodec {
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable @inline(__always)
    public static func byteCount(of value: Value) -> Int { WireSize.varint(wire(value)) }

    @inlinable @inline(__always)
    public static func writeValue(_ value: Value, into writer: inout WireWriter) {
        writer.writeVarint(wire(value))
    }

    @inlinable @inline(__always)
    public static func writePresent(_ field: Int, _ value: Value, _ writer: inout WireWriter) {
        writer.writeVarint(field, wire(value))
    }

    @inlinable
    public static func mergeValue(into value: inout Value, from reader: inout WireReader) throws(WireError) {
        value = Self.value(wire: try reader.readVarint())
    }

    @inlinable
    public static func readValues(_ values: inout [Value], from reader: inout WireReader) throws(WireError) {
        if values.isEmpty {
            // As many elements as there are last bytes of varints. Only the first time: reserving exactly again and
            // again would copy the array again and again.
            let count = reader.varintCount
            try reader.chargeElement(count &* MemoryLayout<Value>.stride)
            values.reserveCapacity(count)
            reader.elementBytesLeft &+= count &* MemoryLayout<Value>.stride
        }
        while reader.position < reader.limit { try read(&values, &reader) }
    }
}

/// A kind of field that is four or eight bytes on the wire, little-endian, and just so in the memory of a
/// little-endian machine.
public protocol FixedCodec: FieldCodec where Value: BitwiseCopyable {
    associatedtype Bits: FixedWidthInteger & BitwiseCopyable
    static func bits(_ value: Value) -> Bits
    static func value(bits: Bits) -> Value
}

extension FixedCodec {
    @inlinable public static var wireType: UInt32 {
        MemoryLayout<Bits>.size == 4 ? WireType.fixed32 : WireType.fixed64
    }
    @inlinable public static var defaultValue: Value { value(bits: 0) }
    /// Of the floating-point numbers only +0.0 is the default; -0.0 is written.
    @inlinable @inline(__always)
    public static func isDefault(_ value: Value) -> Bool { bits(value) == 0 }
    @inlinable public static func byteCount(of value: Value) -> Int { MemoryLayout<Bits>.size }
    @inlinable public static var fixedByteCount: Int? { MemoryLayout<Bits>.size }

    @inlinable @inline(__always)
    public static func writeValue(_ value: Value, into writer: inout WireWriter) {
        writer.writeFixed(bits(value))
    }

    @inlinable
    public static func writeValues(_ values: [Value], into writer: inout WireWriter) {
        if 1.littleEndian == 1 {
            values.withUnsafeBytes { writer.writeBytes($0) }
        } else {
            for value in values.reversed() { writeValue(value, into: &writer) }
        }
    }

    @inlinable
    public static func mergeValue(into value: inout Value, from reader: inout WireReader) throws(WireError) {
        value = Self.value(bits: try reader.readFixed())
    }

    @inlinable
    public static func readValues(_ values: inout [Value], from reader: inout WireReader) throws(WireError) {
        let bytes = reader.bytesLeft
        let count = bytes / MemoryLayout<Bits>.size
        guard 1.littleEndian == 1, count > 0, values.isEmpty, bytes % MemoryLayout<Bits>.size == 0 else {
            while reader.position < reader.limit { try read(&values, &reader) }
            return
        }
        try reader.chargeElement(count &* MemoryLayout<Value>.stride)
        values = [Value](unsafeUninitializedCapacity: count) { memory, initialized in
            UnsafeMutableRawBufferPointer(memory)
                .copyMemory(from: UnsafeRawBufferPointer(start: reader.position, count: bytes))
            initialized = count
        }
        reader.position += bytes
    }
}

public enum Int32Field: VarintCodec {
    public static var kind: FieldKind { .int32 }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable public static func isDefault(_ value: Int32) -> Bool { value == 0 }
    /// A negative number is sign-extended to 64 bits and takes ten bytes.
    @inlinable public static func wire(_ value: Int32) -> UInt64 { UInt64(bitPattern: Int64(value)) }
    @inlinable public static func value(wire: UInt64) -> Int32 { Int32(truncatingIfNeeded: wire) }
}

public enum Int64Field: VarintCodec {
    public static var kind: FieldKind { .int64 }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable public static func isDefault(_ value: Int64) -> Bool { value == 0 }
    @inlinable public static func wire(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
    @inlinable public static func value(wire: UInt64) -> Int64 { Int64(bitPattern: wire) }
}

public enum UInt32Field: VarintCodec {
    public static var kind: FieldKind { .uint32 }
    @inlinable public static var defaultValue: UInt32 { 0 }
    @inlinable public static func isDefault(_ value: UInt32) -> Bool { value == 0 }
    @inlinable public static func wire(_ value: UInt32) -> UInt64 { UInt64(value) }
    @inlinable public static func value(wire: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: wire) }
}

public enum UInt64Field: VarintCodec {
    public static var kind: FieldKind { .uint64 }
    @inlinable public static var defaultValue: UInt64 { 0 }
    @inlinable public static func isDefault(_ value: UInt64) -> Bool { value == 0 }
    @inlinable public static func wire(_ value: UInt64) -> UInt64 { value }
    @inlinable public static func value(wire: UInt64) -> UInt64 { wire }
}

/// ZigZag: small negative numbers take few bytes.
public enum SInt32Field: VarintCodec {
    public static var kind: FieldKind { .sint32 }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable public static func isDefault(_ value: Int32) -> Bool { value == 0 }
    @inlinable public static func wire(_ value: Int32) -> UInt64 {
        UInt64(UInt32(bitPattern: value &<< 1 ^ value &>> 31))
    }
    @inlinable public static func value(wire: UInt64) -> Int32 {
        let wire = UInt32(truncatingIfNeeded: wire)
        return Int32(bitPattern: wire &>> 1) ^ (0 &- Int32(bitPattern: wire & 1))
    }
}

/// ZigZag: small negative numbers take few bytes.
public enum SInt64Field: VarintCodec {
    public static var kind: FieldKind { .sint64 }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable public static func isDefault(_ value: Int64) -> Bool { value == 0 }
    @inlinable public static func wire(_ value: Int64) -> UInt64 { UInt64(bitPattern: value &<< 1 ^ value &>> 63) }
    @inlinable public static func value(wire: UInt64) -> Int64 {
        Int64(bitPattern: wire &>> 1) ^ (0 &- Int64(bitPattern: wire & 1))
    }
}

public enum BoolField: VarintCodec {
    public static var kind: FieldKind { .bool }
    @inlinable public static var defaultValue: Bool { false }
    @inlinable public static func isDefault(_ value: Bool) -> Bool { !value }
    @inlinable public static func wire(_ value: Bool) -> UInt64 { value ? 1 : 0 }
    @inlinable public static func value(wire: UInt64) -> Bool { wire != 0 }
}

/// Enums; every number is kept.
public enum EnumField<Value: OpenEnum>: VarintCodec {
    public static var kind: FieldKind { .enumeration(Value.self) }
    @inlinable public static var defaultValue: Value { Value(rawValue: 0) }
    @inlinable public static func isDefault(_ value: Value) -> Bool { value.rawValue == 0 }
    @inlinable public static func wire(_ value: Value) -> UInt64 { Int32Field.wire(value.rawValue) }
    @inlinable public static func value(wire: UInt64) -> Value { Value(rawValue: Int32Field.value(wire: wire)) }
}

public enum Fixed32Field: FixedCodec {
    public typealias Value = UInt32
    public static var kind: FieldKind { .fixed32 }
    @inlinable public static func bits(_ value: UInt32) -> UInt32 { value }
    @inlinable public static func value(bits: UInt32) -> UInt32 { bits }
}

public enum Fixed64Field: FixedCodec {
    public typealias Value = UInt64
    public static var kind: FieldKind { .fixed64 }
    @inlinable public static func bits(_ value: UInt64) -> UInt64 { value }
    @inlinable public static func value(bits: UInt64) -> UInt64 { bits }
}

public enum SFixed32Field: FixedCodec {
    public typealias Value = Int32
    public static var kind: FieldKind { .sfixed32 }
    @inlinable public static func bits(_ value: Int32) -> UInt32 { UInt32(bitPattern: value) }
    @inlinable public static func value(bits: UInt32) -> Int32 { Int32(bitPattern: bits) }
}

public enum SFixed64Field: FixedCodec {
    public typealias Value = Int64
    public static var kind: FieldKind { .sfixed64 }
    @inlinable public static func bits(_ value: Int64) -> UInt64 { UInt64(bitPattern: value) }
    @inlinable public static func value(bits: UInt64) -> Int64 { Int64(bitPattern: bits) }
}

public enum FloatField: FixedCodec {
    public typealias Value = Float
    public static var kind: FieldKind { .float }
    @inlinable public static func bits(_ value: Float) -> UInt32 { value.bitPattern }
    @inlinable public static func value(bits: UInt32) -> Float { Float(bitPattern: bits) }
}

public enum DoubleField: FixedCodec {
    public typealias Value = Double
    public static var kind: FieldKind { .double }
    @inlinable public static func bits(_ value: Double) -> UInt64 { value.bitPattern }
    @inlinable public static func value(bits: UInt64) -> Double { Double(bitPattern: bits) }
}
