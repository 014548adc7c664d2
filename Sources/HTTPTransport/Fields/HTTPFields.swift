/// Header or trailer fields in the order they came, duplicates kept.
///
/// All fields live in one allocation; nothing becomes a `String` until somebody asks for one. A value type:
/// copies share memory until one of them is changed. Names are lower-case. The limit on a received block is
/// ``HTTPLimits/headerListByteCount``; fields that you add yourself are limited only by memory.
///
/// Values must not hold CR, LF or NUL: ``append(_:_:)`` replaces such bytes by a space, so that a value can
/// never start a new line of the wire (rule W3).
public struct HTTPFields: @unchecked Sendable {
    // `@unchecked Sendable`: the storage is written only while this struct is its single owner.
    var storage: FieldStorage?

    public init() { storage = nil }

    init(storage: FieldStorage) { self.storage = storage }

    /// Tells storages apart without counting references; nil when there are no fields.
    @inline(__always)
    var identity: ObjectIdentifier? {
        guard let storage else { return nil }
        return ObjectIdentifier(storage)
    }

    /// Number of fields, duplicates counted.
    public var count: Int { storage?.entryCount ?? 0 }

    public var isEmpty: Bool { count == 0 }

    /// Bytes of names and values plus 32 for every field (the size HTTP/2 counts, RFC 9113 section 10.5.1).
    public var listByteCount: Int {
        var total = 0
        forEach { name, value in total += name.count + value.count + 32 }
        return total
    }

    public mutating func append(_ name: HTTPFieldName, _ value: String) {
        var value = value
        value.withUTF8 { append(name, raw: UnsafeRawBufferPointer($0)) }
    }

    public mutating func append(_ name: HTTPFieldName, bytes: some Collection<UInt8>) {
        let done: Void? = bytes.withContiguousStorageIfAvailable {
            append(name, raw: UnsafeRawBufferPointer($0))
        }
        if done == nil { Array(bytes).withUnsafeBytes { append(name, raw: $0) } }
    }

    /// Adds a field whose name is already lower-case.
    public mutating func append(name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        append(token: FieldToken.recognise(name), name: name, value: value)
    }

    /// Adds all fields of `other`.
    package mutating func append(contentsOf other: HTTPFields) {
        guard let more = other.storage else { return }
        // What is in fields has no line breaks any more.
        makeUnique(additional: more.byteCount + more.entryCount * FieldStorage.entryStride).append(contentsOf: more)
    }

    /// Makes room for so many bytes of names, values and the table: 16 for each field.
    package mutating func reserve(byteCount: Int) { _ = makeUnique(additional: byteCount) }

    /// The first value of that name; bytes that are not UTF-8 become U+FFFD.
    public func first(_ name: HTTPFieldName) -> String? {
        withFirst(name) { String(decoding: $0, as: UTF8.self) }
    }

    /// How many fields have that name (rule M12: repeated singletons are an error, never "last wins").
    public func count(of name: HTTPFieldName) -> Int {
        mayHold(name.token) ? storage?.count(of: name) ?? 0 : 0
    }

    /// False when there is no such field; most look-ups are for what is not there.
    @inline(__always)
    func mayHold(_ token: FieldToken) -> Bool { storage?.mayHold(token) ?? false }

    /// All values of that name, in order.
    public func values(_ name: HTTPFieldName) -> [String] {
        guard let storage else { return [] }
        var result: [String] = []
        for index in 0..<storage.entryCount {
            let entry = storage.entry(at: index)
            if storage.matches(entry, name) {
                result.append(String(decoding: storage.value(of: entry), as: UTF8.self))
            }
        }
        return result
    }

    /// The first value of that name as bytes, without making a `String`. `body` must not keep the pointer.
    public func withFirst<Result>(
        _ name: HTTPFieldName, _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result? {
        guard let value = firstValue(name) else { return nil }
        defer { withExtendedLifetime(self) {} }
        return try body(value)
    }

    /// As ``withFirst(_:_:)``, in place: valid as long as the fields are held.
    package func firstValue(_ name: HTTPFieldName) -> UnsafeRawBufferPointer? {
        guard mayHold(name.token) else { return nil }
        return storage?.firstValue(name)
    }

    /// Lists all fields where they stand. `memory` has room for ``count``.
    package func list(into memory: UnsafeMutableBufferPointer<HTTPFieldBytes>) -> UnsafeBufferPointer<HTTPFieldBytes> {
        guard let storage else { return UnsafeBufferPointer(start: nil, count: 0) }
        let count = storage.entryCount
        for index in 0..<count {
            let entry = storage.entry(at: index)
            memory.initializeElement(
                at: index, to: HTTPFieldBytes(name: storage.name(of: entry), value: storage.value(of: entry)))
        }
        return UnsafeBufferPointer(rebasing: memory[..<count])
    }

    /// Every field in order. `body` must not keep the pointers.
    public func forEach(
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws -> Void
    ) rethrows {
        try forEachEntry { _, name, value in try body(name, value) }
    }

    public mutating func removeAll(_ name: HTTPFieldName) {
        guard count(of: name) > 0, let old = storage else { return }
        var kept = HTTPFields()
        for index in 0..<old.entryCount {
            let entry = old.entry(at: index)
            if old.matches(entry, name) { continue }
            kept.append(token: entry.token, name: old.name(of: entry), value: old.value(of: entry))
        }
        self = kept
    }

    /// Every field with its token, for the serialisers.
    func forEachEntry(_ body: (FieldToken, UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws -> Void)
        rethrows
    {
        guard let storage else { return }
        for index in 0..<storage.entryCount {
            let entry = storage.entry(at: index)
            try body(entry.token, storage.name(of: entry), storage.value(of: entry))
        }
    }

    package mutating func append(_ name: HTTPFieldName, raw value: UnsafeRawBufferPointer) {
        if name.token != .other {
            append(token: name.token, name: name.token.bytes, value: value)
        } else {
            name.withBytes { append(token: .other, name: $0, value: value) }
        }
    }

    mutating func append(token: FieldToken, name: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer) {
        let needed = FieldStorage.entryStride + value.count + (token == .other ? name.count : 0)
        let storage = makeUnique(additional: needed)
        Self.neutraliseLineBreaks(storage.append(token: token, name: name, value: value))
    }

    private mutating func makeUnique(additional: Int) -> FieldStorage {
        guard var current = storage else {
            let fresh = FieldStorage.make(capacity: max(additional, 192))
            storage = fresh
            return fresh
        }
        storage = nil
        if !isKnownUniquelyReferenced(&current) || current.freeByteCount < additional {
            current = current.copy(additional: additional)
        }
        storage = current
        return current
    }

    private static func neutraliseLineBreaks(_ value: UnsafeMutableRawBufferPointer) {
        guard UnsafeRawBufferPointer(value).hasControls else { return }
        for index in 0..<value.count {
            let byte = value[index]
            if byte < 0x0E, byte == ASCII.lineFeed || byte == ASCII.carriageReturn || byte == 0 {
                value[index] = ASCII.space
            }
        }
    }

}

/// A field where it stands: pointers that hold as long as the ``HTTPFields`` do.
package struct HTTPFieldBytes {
    package let name: UnsafeRawBufferPointer
    package let value: UnsafeRawBufferPointer
}

extension HTTPFields: Equatable {
    /// Same fields in the same order.
    public static func == (left: HTTPFields, right: HTTPFields) -> Bool {
        guard left.count == right.count else { return false }
        guard let first = left.storage, let second = right.storage, first !== second else { return true }
        for index in 0..<first.entryCount {
            let one = first.entry(at: index)
            let two = second.entry(at: index)
            guard first.name(of: one).elementsAre(second.name(of: two)),
                first.value(of: one).elementsAre(second.value(of: two))
            else { return false }
        }
        return true
    }
}

extension HTTPFields: ExpressibleByDictionaryLiteral {
    public init(dictionaryLiteral elements: (HTTPFieldName, String)...) {
        self.init()
        for (name, value) in elements { append(name, value) }
    }
}

extension HTTPFields: CustomStringConvertible {
    /// Names only: values may be secrets.
    public var description: String {
        var names: [String] = []
        forEach { name, _ in names.append(String(decoding: name, as: UTF8.self)) }
        return "HTTPFields(\(names.joined(separator: ", ")))"
    }
}
