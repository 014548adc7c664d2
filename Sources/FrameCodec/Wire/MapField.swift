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
    /// Eight bytes at a time.
    public static func isOrderedBefore(_ lhs: String, _ rhs: String) -> Bool {
        let isBefore = lhs.utf8.withContiguousStorageIfAvailable { lhs in
            rhs.utf8.withContiguousStorageIfAvailable { rhs in
                isOrderedBefore(UnsafeRawBufferPointer(lhs), UnsafeRawBufferPointer(rhs))
            }
        }
        if case .some(.some(let isBefore)) = isBefore { return isBefore }
        return lhs.utf8.lexicographicallyPrecedes(rhs.utf8)
    }

    static func isOrderedBefore(_ lhs: UnsafeRawBufferPointer, _ rhs: UnsafeRawBufferPointer) -> Bool {
        let count = min(lhs.count, rhs.count)
        guard count > 0, let lhsBase = lhs.baseAddress, let rhsBase = rhs.baseAddress else {
            return lhs.count < rhs.count
        }
        var offset = 0
        while offset < count {
            // The last word overlaps the one before, whose bytes are equal. Short strings go byte by byte.
            guard count >= 8 else {
                let (left, right) = (lhs[offset], rhs[offset])
                if left != right { return left < right }
                offset &+= 1
                continue
            }
            let start = min(offset, count &- 8)
            let left = UInt64(bigEndian: lhsBase.loadUnaligned(fromByteOffset: start, as: UInt64.self))
            let right = UInt64(bigEndian: rhsBase.loadUnaligned(fromByteOffset: start, as: UInt64.self))
            if left != right { return left < right }
            offset &+= 8
        }
        return lhs.count < rhs.count
    }
}

/// Maps: on the wire a repeated message with the key as field 1 and the value as field 2, both always
/// written.
public enum MapField<Key: MapKeyCodec, Element: FieldCodec> {
    @inlinable @inline(__always)
    public static func size(_ field: Int, _ map: [Key.Value: Element.Value]) -> Int {
        map.isEmpty ? 0 : map.count &* WireSize.tag(field) &+ entriesByteCount(map)
    }

    /// By index, here and below: an iterator would hold, and so retain, the map.
    @inlinable
    static func entriesByteCount(_ map: [Key.Value: Element.Value]) -> Int {
        var size = 0
        var index = map.startIndex
        while index != map.endIndex {
            let (key, value) = map[index]
            size &+= WireSize.lengthDelimited(Key.sizePresent(1, key) &+ Element.sizePresent(2, value))
            map.formIndex(after: &index)
        }
        return size
    }

    @inlinable @inline(__always)
    public static func write(_ field: Int, _ map: [Key.Value: Element.Value], _ writer: inout WireWriter) {
        guard !map.isEmpty else { return }
        writer.apart { writeEntries(field, map, &$0) }
    }

    @inlinable
    static func writeEntries(_ field: Int, _ map: [Key.Value: Element.Value], _ writer: inout WireWriter) {
        guard writer.isDeterministic, map.count > 1 else {
            var index = map.startIndex
            while index != map.endIndex {
                let (key, value) = map[index]
                writeEntry(field, key, value, &writer)
                map.formIndex(after: &index)
            }
            return
        }
        // Backwards, so the greatest key goes first.
        for (key, value) in map.sorted(by: { Key.isOrderedBefore($1.key, $0.key) }) {
            writeEntry(field, key, value, &writer)
        }
    }

    @inlinable @inline(__always)
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
