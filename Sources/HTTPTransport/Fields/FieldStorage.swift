/// Numbers at the head of a ``FieldStorage``.
struct FieldStorageHeader {
    var entryCount: Int
    /// Bytes used at the end of the region.
    var byteCount: Int
    var capacity: Int
    /// One bit for every token that an entry has: most look-ups are for fields that are not there.
    var tokenBits: UInt64
    /// As ``tokenBits``, for those that several entries have: counting them is rarely necessary.
    var repeatedBits: UInt64 = 0
    /// The head of a request has come again (``HTTPExchange/isHeadRepeated``).
    var isRepeated = false
    /// See ``HTTPExchange/headNote``.
    var note: (any AnyObject & Sendable)?
}

/// One field: where its bytes are.
///
/// `offset` counts from the END of the region to the first byte of the name (or of the value, when the name
/// is a known token and therefore not stored). The value follows the name directly.
struct FieldEntry {
    var offset: UInt32
    var valueCount: UInt32
    var nameCount: UInt16
    var token: FieldToken
}

/// One allocation that holds all fields of a header block: the table grows up, the bytes grow down.
///
///     +--------+--------+--------+ - - - - - - +---------------+-------------+
///     | entry0 | entry1 | entry2 |    free     | name2 value2  | ... value0  |
///     +--------+--------+--------+ - - - - - - +---------------+-------------+
///     0                                                                capacity
///
/// Offsets count from the end, so growing moves both parts without touching an entry.
///
/// Written only while uniquely referenced (``HTTPFields`` copies otherwise), read-only as soon as it is
/// shared: the structs that hold one rely on that to be `@unchecked Sendable`. ``isRepeated`` and ``note`` are the
/// connection's own: used on its event loop only, and by no copy. Its address never changes, so
/// a pointer into it is valid as long as somebody holds a reference.
final class FieldStorage: ManagedBuffer<FieldStorageHeader, UInt8> {
    static let entryStride = MemoryLayout<FieldEntry>.stride

    static func make(capacity: Int) -> FieldStorage {
        let rounded = (max(capacity, 64) + 15) & ~15
        let buffer = FieldStorage.create(minimumCapacity: rounded) { _ in
            FieldStorageHeader(entryCount: 0, byteCount: 0, capacity: rounded, tokenBits: 0)
        }
        return unsafeDowncast(buffer, to: FieldStorage.self)
    }

    // Plain pointers instead of the `header` property: no exclusivity bookkeeping for every field of every
    // request.
    private var numbers: UnsafeMutablePointer<FieldStorageHeader> { withUnsafeMutablePointerToHeader { $0 } }
    private var base: UnsafeMutableRawPointer {
        withUnsafeMutablePointerToElements { UnsafeMutableRawPointer($0) }
    }
    private var end: UnsafeMutableRawPointer { base + numbers.pointee.capacity }

    var entryCount: Int { numbers.pointee.entryCount }
    var byteCount: Int { numbers.pointee.byteCount }

    /// False when no entry has that token.
    func mayHold(_ token: FieldToken) -> Bool { numbers.pointee.tokenBits & token.bit != 0 }

    /// False when no entry has any of the tokens that these bits stand for.
    func mayHold(anyOf bits: UInt64) -> Bool { numbers.pointee.tokenBits & bits != 0 }

    /// Whether all values of that field are as `check` wants them.
    func allValues(of token: FieldToken, _ check: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard mayHold(token) else { return true }
        return (0..<entryCount).allSatisfy { index in
            let entry = entry(at: index)
            return entry.token != token || check(value(of: entry))
        }
    }

    var freeByteCount: Int {
        let numbers = numbers
        return numbers.pointee.capacity - numbers.pointee.byteCount - numbers.pointee.entryCount * Self.entryStride
    }

    func entry(at index: Int) -> FieldEntry {
        base.load(fromByteOffset: index * Self.entryStride, as: FieldEntry.self)
    }

    func setEntry(_ entry: FieldEntry, at index: Int) {
        base.storeBytes(of: entry, toByteOffset: index * Self.entryStride, as: FieldEntry.self)
    }

    func name(of entry: FieldEntry) -> UnsafeRawBufferPointer {
        guard entry.token == .other else { return entry.token.bytes }
        return UnsafeRawBufferPointer(start: end - Int(entry.offset), count: Int(entry.nameCount))
    }

    func value(of entry: FieldEntry) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(
            start: end - Int(entry.offset) + Int(entry.nameCount), count: Int(entry.valueCount))
    }

    func matches(_ entry: FieldEntry, _ name: HTTPFieldName) -> Bool {
        guard entry.token == name.token else { return false }
        return entry.token != .other || name.withBytes { self.name(of: entry).elementsAre($0) }
    }

    func count(of name: HTTPFieldName) -> Int {
        if name.token != .other, numbers.pointee.repeatedBits & name.token.bit == 0 {
            return mayHold(name.token) ? 1 : 0
        }
        var found = 0
        for index in 0..<entryCount where matches(entry(at: index), name) { found += 1 }
        return found
    }

    func firstValue(_ name: HTTPFieldName) -> UnsafeRawBufferPointer? {
        for index in 0..<entryCount {
            let entry = entry(at: index)
            if matches(entry, name) { return value(of: entry) }
        }
        return nil
    }

    func address(offset: UInt32) -> UnsafeRawPointer { UnsafeRawPointer(end - Int(offset)) }

    func bytes(offset: UInt32, count: UInt32) -> UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: end - Int(offset), count: Int(count))
    }

    /// Stores bytes without an entry; the caller made sure that they fit. Returns their offset from the end.
    func appendBytes(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        numbers.pointee.byteCount += bytes.count
        let offset = numbers.pointee.byteCount
        if let source = bytes.baseAddress { (end - offset).copyMemory(from: source, byteCount: bytes.count) }
        return UInt32(truncatingIfNeeded: offset)
    }

    /// Adds a field; the caller made sure that it fits. Returns where the value is now.
    @discardableResult
    func append(
        token: FieldToken, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) -> UnsafeMutableRawBufferPointer {
        let numbers = numbers
        let stored = token == .other ? name.count : 0
        let start = end - numbers.pointee.byteCount - value.count - stored
        if stored > 0, let source = name.baseAddress { start.copyMemory(from: source, byteCount: stored) }
        if let source = value.baseAddress {
            (start + stored).copyMemory(from: source, byteCount: value.count)
        }
        numbers.pointee.byteCount += value.count + stored
        let entry = FieldEntry(
            offset: UInt32(truncatingIfNeeded: numbers.pointee.byteCount),
            valueCount: UInt32(truncatingIfNeeded: value.count),
            nameCount: UInt16(truncatingIfNeeded: stored),
            token: token
        )
        setEntry(entry, at: numbers.pointee.entryCount)
        numbers.pointee.entryCount += 1
        countToken(token)
        return UnsafeMutableRawBufferPointer(start: start + stored, count: value.count)
    }

    private func countToken(_ token: FieldToken) {
        numbers.pointee.repeatedBits |= numbers.pointee.tokenBits & token.bit
        numbers.pointee.tokenBits |= token.bit
    }

    /// Adds all fields of another storage; the caller made sure that they fit.
    func append(contentsOf other: FieldStorage) {
        for index in 0..<other.entryCount {
            let entry = other.entry(at: index)
            append(token: entry.token, name: other.name(of: entry), value: other.value(of: entry))
        }
    }

    /// Forgets all fields. Only for a single owner.
    func removeAll() {
        numbers.pointee.entryCount = 0
        numbers.pointee.byteCount = 0
        numbers.pointee.tokenBits = 0
        numbers.pointee.repeatedBits = 0
        numbers.pointee.isRepeated = false
        numbers.pointee.note = nil
    }

    var isRepeated: Bool {
        get { numbers.pointee.isRepeated }
        set { numbers.pointee.isRepeated = newValue }
    }

    var note: (any AnyObject & Sendable)? {
        get { numbers.pointee.note }
        set { numbers.pointee.note = newValue }
    }

    var regionByteCount: Int { numbers.pointee.capacity }

    /// Becomes what `other` was when it held only so many fields and bytes. This one is empty, and the caller made sure
    /// that it is large enough.
    func copyBegin(of other: FieldStorage, entryCount: Int, byteCount: Int) {
        base.copyMemory(from: other.base, byteCount: entryCount * Self.entryStride)
        (end - byteCount).copyMemory(from: other.end - byteCount, byteCount: byteCount)
        let numbers = numbers
        numbers.pointee.entryCount = entryCount
        numbers.pointee.byteCount = byteCount
        for index in 0..<entryCount { countToken(entry(at: index).token) }
    }

    /// A copy with room for `additional` more bytes.
    func copy(additional: Int) -> FieldStorage {
        let tableByteCount = entryCount * Self.entryStride
        let used = byteCount + tableByteCount
        let result = FieldStorage.make(capacity: used + max(additional, used))
        result.numbers.pointee.entryCount = entryCount
        result.numbers.pointee.byteCount = byteCount
        result.numbers.pointee.tokenBits = numbers.pointee.tokenBits
        result.numbers.pointee.repeatedBits = numbers.pointee.repeatedBits
        result.base.copyMemory(from: base, byteCount: tableByteCount)
        (result.end - byteCount).copyMemory(from: end - byteCount, byteCount: byteCount)
        return result
    }
}
