/// Collects one received header or trailer block into one allocation, under the limits of ``HTTPLimits``.
///
/// Used by both protocols: names arrive lower-case from HTTP/2 and in any case from HTTP/1.1.
struct FieldBlockBuilder {
    enum Overflow: Equatable {
        case listBytes, fieldCount

        var limitName: String { self == .listBytes ? "headerListByteCount" : "headerFieldCount" }
    }

    /// How much there is of a block.
    struct Sizes {
        let entryCount: Int
        let byteCount: Int
        /// As HTTP/2 counts.
        let listByteCount: Int
    }

    private(set) var storage: FieldStorage?
    private(set) var listByteCount = 0
    private(set) var fieldCount = 0
    /// Memory of earlier blocks, to be used again.
    private var spares: [FieldStorage] = []
    let maximumListByteCount: Int
    let maximumFieldCount: Int

    var sizes: Sizes {
        Sizes(
            entryCount: storage?.entryCount ?? 0, byteCount: storage?.byteCount ?? 0, listByteCount: listByteCount)
    }

    init(limits: HTTPLimits) {
        maximumListByteCount = limits.headerListByteCount
        maximumFieldCount = limits.headerFieldCount
    }

    /// Counts a field (pseudo fields too) against the limits. Name and value sizes come from a peer, but each
    /// is bounded by what is in memory already, so the sums cannot overflow.
    mutating func admit(nameCount: Int, valueCount: Int) -> Overflow? {
        fieldCount += 1
        listByteCount += nameCount + valueCount + 32
        if listByteCount > maximumListByteCount || nameCount > Int(UInt16.max) { return .listBytes }
        return fieldCount > maximumFieldCount ? .fieldCount : nil
    }

    /// Counts fields that are known to be within the limits.
    mutating func didAdmit(fieldCount: Int, listByteCount: Int) {
        self.fieldCount += fieldCount
        self.listByteCount += listByteCount
    }

    /// Adds an admitted field whose name is lower-case, and recognised as `token`. Whitespace around the value is
    /// dropped (rule M4).
    ///
    /// - Returns: where its bytes are: the value's, behind the name's when that is no known one.
    @discardableResult
    mutating func append(
        _ token: FieldToken, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer
    ) -> StoredRange {
        let value = value.withoutOuterWhitespace
        reserve(FieldStorage.entryStride + name.count + value.count)
        storage?.append(token: token, name: name, value: value)
        let offset = UInt32(truncatingIfNeeded: storage?.byteCount ?? 0)
        return StoredRange(offset: offset, count: UInt32(truncatingIfNeeded: value.count))
    }

    /// Begins with the first fields of another block.
    mutating func adopt(_ other: FieldStorage, _ sizes: Sizes) {
        reserve(sizes.entryCount * FieldStorage.entryStride + sizes.byteCount)
        storage?.copyBegin(of: other, entryCount: sizes.entryCount, byteCount: sizes.byteCount)
    }

    /// Keeps bytes that are not a field (path, authority).
    mutating func store(_ bytes: UnsafeRawBufferPointer) -> StoredRange {
        reserve(bytes.count)
        return StoredRange(
            offset: storage?.appendBytes(bytes) ?? 0, count: UInt32(truncatingIfNeeded: bytes.count))
    }

    /// The fields so far; the builder starts afresh.
    mutating func takeStorage() -> FieldStorage {
        let taken = storage.take() ?? FieldStorage.make(capacity: 0)
        reset()
        return taken
    }

    mutating func reset() {
        storage = nil
        listByteCount = 0
        fieldCount = 0
    }

    /// Takes the memory of a block that nobody else holds.
    mutating func reuse(_ storage: FieldStorage) {
        guard spares.count < 128, storage.regionByteCount <= 1024 else { return }
        storage.removeAll()
        spares.append(storage)
    }

    mutating func trim() { spares = [] }

    private mutating func reserve(_ needed: Int) {
        if storage == nil {
            storage = needed <= 480 ? spares.popLast() : nil
            if storage == nil { storage = FieldStorage.make(capacity: max(needed, 480)) }
        } else if let free = storage?.freeByteCount, free < needed {
            storage = storage?.copy(additional: needed)
        }
    }
}
