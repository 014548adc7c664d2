/// A kind that may be the key of a map: it has an order for deterministic output.
public protocol MapKeyCodec: FieldCodec {
    /// Order of keys in deterministic mode: numbers by value, false before true, strings by their UTF-8
    /// bytes.
    static func isOrderedBefore(_ lhs: Value, _ rhs: Value) -> Bool
}

extension MapKeyCodec where Value: Comparable {
    @inlinable
    public static func isOrderedBefore(_ lhs: Value, _ rhs: Value) -> Bool { lhs < rhs }
}

extension Int32Field: MapKeyCodec {}
extension Int64Field: MapKeyCodec {}
extension UInt32Field: MapKeyCodec {}
extension UInt64Field: MapKeyCodec {}
extension SInt32Field: MapKeyCodec {}
extension SInt64Field: MapKeyCodec {}
extension Fixed32Field: MapKeyCodec {}
extension Fixed64Field: MapKeyCodec {}
extension SFixed32Field: MapKeyCodec {}
extension SFixed64Field: MapKeyCodec {}
extension BoolField: MapKeyCodec {
    @inlinable
    public static func isOrderedBefore(_ lhs: Bool, _ rhs: Bool) -> Bool { !lhs && rhs }
}
extension StringField: MapKeyCodec {
    @inlinable
    public static func isOrderedBefore(_ lhs: String, _ rhs: String) -> Bool {
        lhs.utf8.lexicographicallyPrecedes(rhs.utf8)
    }
}

/// Maps: on the wire a repeated message with the key as field 1 and the value as field 2, both always
/// written.
public enum MapField<Key: MapKeyCodec, Element: FieldCodec> {
    @inlinable
    public static func size(_ field: Int, _ map: [Key.Value: Element.Value]) -> Int {
        guard !map.isEmpty else { return 0 }
        var size = map.count &* WireSize.tag(field)
        for (key, value) in map { size &+= WireSize.lengthDelimited(entryByteCount(key, value)) }
        return size
    }

    @inlinable
    static func entryByteCount(_ key: Key.Value, _ value: Element.Value) -> Int {
        Key.sizePresent(1, key) &+ Element.sizePresent(2, value)
    }

    @inlinable
    public static func write(_ field: Int, _ map: [Key.Value: Element.Value], _ writer: inout WireWriter) {
        guard !map.isEmpty else { return }
        guard writer.isDeterministic, map.count > 1 else {
            for (key, value) in map { writeEntry(field, key, value, &writer) }
            return
        }
        // Backwards, so the greatest key goes first.
        for (key, value) in map.sorted(by: { Key.isOrderedBefore($1.key, $0.key) }) {
            writeEntry(field, key, value, &writer)
        }
    }

    @inlinable
    static func writeEntry(_ field: Int, _ key: Key.Value, _ value: Element.Value, _ writer: inout WireWriter)
    {
        let end = writer.bytesLeft
        Element.writePresent(2, value, &writer)
        Key.writePresent(1, key, &writer)
        writer.writeVarint(UInt64(truncatingIfNeeded: end &- writer.bytesLeft))
        writer.writeTag(field, WireType.lengthDelimited)
    }

    /// A dictionary keeps a quarter of its slots free and doubles when it grows.
    @inlinable
    static var elementByteCount: Int {
        (MemoryLayout<Key.Value>.stride &+ MemoryLayout<Element.Value>.stride) &* 2
    }

    /// Reads one entry. A missing key or value has its default; unknown fields of an entry are dropped.
    @inlinable
    public static func read(_ map: inout [Key.Value: Element.Value], _ reader: inout WireReader)
        throws(WireError)
    {
        let outer = try reader.enterMessage()
        var key = Key.defaultValue
        var value = Element.defaultValue
        while let tag = try reader.nextTag() {
            if tag == 1 &<< 3 | Key.wireType {
                try Key.read(&key, &reader)
            } else if tag == 2 &<< 3 | Element.wireType {
                try Element.read(&value, &reader)
            } else {
                try reader.skip(tag)
            }
        }
        reader.leaveMessage(outer)
        try reader.chargeElement(elementByteCount)
        map[key] = value
    }
}
