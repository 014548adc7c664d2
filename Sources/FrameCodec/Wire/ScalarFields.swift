/// Varint integers, little-endian fixed integers, floating point and bool.

public enum Int32Field: FieldCodec {
    public static var kind: FieldKind { .int32 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable public static func isDefault(_ value: Int32) -> Bool { value == 0 }
    /// A negative number is sign-extended to 64 bits and takes ten bytes.
    @inlinable public static func byteCount(of value: Int32) -> Int { WireSize.varint(wire(value)) }
    @inlinable public static func writeValue(_ value: Int32, into writer: inout WireWriter) {
        writer.writeVarint(wire(value))
    }
    @inlinable public static func mergeValue(
        into value: inout Int32, from reader: inout WireReader
    ) throws(WireError) {
        value = Int32(truncatingIfNeeded: try reader.readVarint())
    }
    @inlinable static func wire(_ value: Int32) -> UInt64 { UInt64(bitPattern: Int64(value)) }
}

public enum Int64Field: FieldCodec {
    public static var kind: FieldKind { .int64 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable public static func isDefault(_ value: Int64) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: Int64) -> Int {
        WireSize.varint(UInt64(bitPattern: value))
    }
    @inlinable public static func writeValue(_ value: Int64, into writer: inout WireWriter) {
        writer.writeVarint(UInt64(bitPattern: value))
    }
    @inlinable public static func mergeValue(
        into value: inout Int64, from reader: inout WireReader
    ) throws(WireError) {
        value = Int64(bitPattern: try reader.readVarint())
    }
}

public enum UInt32Field: FieldCodec {
    public static var kind: FieldKind { .uint32 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: UInt32 { 0 }
    @inlinable public static func isDefault(_ value: UInt32) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: UInt32) -> Int { WireSize.varint(UInt64(value)) }
    @inlinable public static func writeValue(_ value: UInt32, into writer: inout WireWriter) {
        writer.writeVarint(UInt64(value))
    }
    @inlinable public static func mergeValue(
        into value: inout UInt32, from reader: inout WireReader
    ) throws(WireError) {
        value = UInt32(truncatingIfNeeded: try reader.readVarint())
    }
}

public enum UInt64Field: FieldCodec {
    public static var kind: FieldKind { .uint64 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: UInt64 { 0 }
    @inlinable public static func isDefault(_ value: UInt64) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: UInt64) -> Int { WireSize.varint(value) }
    @inlinable public static func writeValue(_ value: UInt64, into writer: inout WireWriter) {
        writer.writeVarint(value)
    }
    @inlinable public static func mergeValue(
        into value: inout UInt64, from reader: inout WireReader
    ) throws(WireError) {
        value = try reader.readVarint()
    }
}

/// ZigZag: small negative numbers take few bytes.
public enum SInt32Field: FieldCodec {
    public static var kind: FieldKind { .sint32 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable public static func isDefault(_ value: Int32) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: Int32) -> Int { WireSize.varint(UInt64(zigZag(value))) }
    @inlinable public static func writeValue(_ value: Int32, into writer: inout WireWriter) {
        writer.writeVarint(UInt64(zigZag(value)))
    }
    @inlinable public static func mergeValue(
        into value: inout Int32, from reader: inout WireReader
    ) throws(WireError) {
        let wire = UInt32(truncatingIfNeeded: try reader.readVarint())
        value = Int32(bitPattern: wire &>> 1) ^ (0 &- Int32(bitPattern: wire & 1))
    }
    @inlinable static func zigZag(_ value: Int32) -> UInt32 { UInt32(bitPattern: value &<< 1 ^ value &>> 31) }
}

/// ZigZag: small negative numbers take few bytes.
public enum SInt64Field: FieldCodec {
    public static var kind: FieldKind { .sint64 }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable public static func isDefault(_ value: Int64) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: Int64) -> Int { WireSize.varint(zigZag(value)) }
    @inlinable public static func writeValue(_ value: Int64, into writer: inout WireWriter) {
        writer.writeVarint(zigZag(value))
    }
    @inlinable public static func mergeValue(
        into value: inout Int64, from reader: inout WireReader
    ) throws(WireError) {
        let wire = try reader.readVarint()
        value = Int64(bitPattern: wire &>> 1) ^ (0 &- Int64(bitPattern: wire & 1))
    }
    @inlinable static func zigZag(_ value: Int64) -> UInt64 { UInt64(bitPattern: value &<< 1 ^ value &>> 63) }
}

public enum BoolField: FieldCodec {
    public static var kind: FieldKind { .bool }
    @inlinable public static var wireType: UInt32 { WireType.varint }
    @inlinable public static var defaultValue: Bool { false }
    @inlinable public static func isDefault(_ value: Bool) -> Bool { !value }
    @inlinable public static func byteCount(of value: Bool) -> Int { 1 }
    @inlinable public static func writeValue(_ value: Bool, into writer: inout WireWriter) {
        writer.writeVarint(value ? 1 : 0)
    }
    @inlinable public static func mergeValue(
        into value: inout Bool, from reader: inout WireReader
    ) throws(WireError) {
        value = try reader.readVarint() != 0
    }
}

public enum Fixed32Field: FieldCodec {
    public static var kind: FieldKind { .fixed32 }
    @inlinable public static var wireType: UInt32 { WireType.fixed32 }
    @inlinable public static var defaultValue: UInt32 { 0 }
    @inlinable public static func isDefault(_ value: UInt32) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: UInt32) -> Int { 4 }
    @inlinable public static func writeValue(_ value: UInt32, into writer: inout WireWriter) {
        writer.writeFixed32(value)
    }
    @inlinable public static func mergeValue(
        into value: inout UInt32, from reader: inout WireReader
    ) throws(WireError) {
        value = try reader.readFixed32()
    }
}

public enum Fixed64Field: FieldCodec {
    public static var kind: FieldKind { .fixed64 }
    @inlinable public static var wireType: UInt32 { WireType.fixed64 }
    @inlinable public static var defaultValue: UInt64 { 0 }
    @inlinable public static func isDefault(_ value: UInt64) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: UInt64) -> Int { 8 }
    @inlinable public static func writeValue(_ value: UInt64, into writer: inout WireWriter) {
        writer.writeFixed64(value)
    }
    @inlinable public static func mergeValue(
        into value: inout UInt64, from reader: inout WireReader
    ) throws(WireError) {
        value = try reader.readFixed64()
    }
}

public enum SFixed32Field: FieldCodec {
    public static var kind: FieldKind { .sfixed32 }
    @inlinable public static var wireType: UInt32 { WireType.fixed32 }
    @inlinable public static var defaultValue: Int32 { 0 }
    @inlinable public static func isDefault(_ value: Int32) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: Int32) -> Int { 4 }
    @inlinable public static func writeValue(_ value: Int32, into writer: inout WireWriter) {
        writer.writeFixed32(UInt32(bitPattern: value))
    }
    @inlinable public static func mergeValue(
        into value: inout Int32, from reader: inout WireReader
    ) throws(WireError) {
        value = Int32(bitPattern: try reader.readFixed32())
    }
}

public enum SFixed64Field: FieldCodec {
    public static var kind: FieldKind { .sfixed64 }
    @inlinable public static var wireType: UInt32 { WireType.fixed64 }
    @inlinable public static var defaultValue: Int64 { 0 }
    @inlinable public static func isDefault(_ value: Int64) -> Bool { value == 0 }
    @inlinable public static func byteCount(of value: Int64) -> Int { 8 }
    @inlinable public static func writeValue(_ value: Int64, into writer: inout WireWriter) {
        writer.writeFixed64(UInt64(bitPattern: value))
    }
    @inlinable public static func mergeValue(
        into value: inout Int64, from reader: inout WireReader
    ) throws(WireError) {
        value = Int64(bitPattern: try reader.readFixed64())
    }
}

/// Only +0.0 is the default; -0.0 is written.
public enum FloatField: FieldCodec {
    public static var kind: FieldKind { .float }
    @inlinable public static var wireType: UInt32 { WireType.fixed32 }
    @inlinable public static var defaultValue: Float { 0 }
    @inlinable public static func isDefault(_ value: Float) -> Bool { value.bitPattern == 0 }
    @inlinable public static func byteCount(of value: Float) -> Int { 4 }
    @inlinable public static func writeValue(_ value: Float, into writer: inout WireWriter) {
        writer.writeFixed32(value.bitPattern)
    }
    @inlinable public static func mergeValue(
        into value: inout Float, from reader: inout WireReader
    ) throws(WireError) {
        value = Float(bitPattern: try reader.readFixed32())
    }
}

/// Only +0.0 is the default; -0.0 is written.
public enum DoubleField: FieldCodec {
    public static var kind: FieldKind { .double }
    @inlinable public static var wireType: UInt32 { WireType.fixed64 }
    @inlinable public static var defaultValue: Double { 0 }
    @inlinable public static func isDefault(_ value: Double) -> Bool { value.bitPattern == 0 }
    @inlinable public static func byteCount(of value: Double) -> Int { 8 }
    @inlinable public static func writeValue(_ value: Double, into writer: inout WireWriter) {
        writer.writeFixed64(value.bitPattern)
    }
    @inlinable public static func mergeValue(
        into value: inout Double, from reader: inout WireReader
    ) throws(WireError) {
        value = Double(bitPattern: try reader.readFixed64())
    }
}
