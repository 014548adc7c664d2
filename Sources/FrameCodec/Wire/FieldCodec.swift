/// How one kind of field stands on the wire. Generated code calls the static functions of the conforming
/// types with constant field numbers; in a release build they are specialised and inlined.
///
/// Reading, writing and sizing exist for four shapes of field: implicit presence (`Value`, skipped when it is
/// the default), explicit presence (`Value?`), repeated (`[Value]`) and packed.
public protocol FieldCodec {
    /// The Swift type of one value.
    associatedtype Value: Sendable, Hashable
    /// What the schema says about the kind.
    static var kind: FieldKind { get }
    /// Low three bits of the tag.
    static var wireType: UInt32 { get }
    static var defaultValue: Value { get }
    static func isDefault(_ value: Value) -> Bool
    /// Bytes after the tag, a length prefix included.
    static func byteCount(of value: Value) -> Int
    /// Writes what follows the tag.
    static func writeValue(_ value: Value, into writer: inout WireWriter)
    /// ``byteCount(of:)`` of a value where it lies. Messages have their own: handing one over by value copies it
    /// to the stack.
    static func byteCount(inPlace value: inout Value) -> Int
    /// Writes a field even when it has its default value.
    static func writePresent(_ field: Int, _ value: Value, _ writer: inout WireWriter)
    /// The same with a value where it lies.
    static func writePresent(_ field: Int, inPlace value: inout Value, _ writer: inout WireWriter)
    /// Reads what follows the tag; merges when the value is a message, replaces otherwise.
    static func mergeValue(into value: inout Value, from reader: inout WireReader) throws(WireError)
    /// What ``byteCount(of:)`` says for every value; nil when they differ.
    static var fixedByteCount: Int? { get }
    /// Writes the values of a packed field, without tag and length.
    static func writeValues(_ values: [Value], into writer: inout WireWriter)
    /// Reads the values of a packed field up to the reader's limit.
    static func readValues(_ values: inout [Value], from reader: inout WireReader) throws(WireError)
}

// MARK: - Sizes

extension FieldCodec {
    @inlinable @inline(__always)
    public static func byteCount(inPlace value: inout Value) -> Int { byteCount(of: value) }

    @inlinable public static var fixedByteCount: Int? { nil }

    /// Size of a field with implicit presence.
    @inlinable @inline(__always)
    public static func size(_ field: Int, _ value: Value) -> Int {
        isDefault(value) ? 0 : sizePresent(field, value)
    }

    /// Size of a field that is written even when it has its default value.
    @inlinable @inline(__always)
    public static func sizePresent(_ field: Int, _ value: Value) -> Int {
        WireSize.tag(field) &+ byteCount(of: value)
    }

    /// Size of a field with explicit presence.
    @inlinable @inline(__always)
    public static func size(_ field: Int, _ value: inout Value?) -> Int {
        // Comparing with nil or binding to a name would copy a message.
        guard case .some = value else { return 0 }
        return WireSize.tag(field) &+ byteCount(inPlace: &value!)
    }

    /// Size of a repeated field, one tag to each element.
    @inlinable @inline(__always)
    public static func size(_ field: Int, _ values: [Value]) -> Int {
        values.isEmpty ? 0 : values.count &* WireSize.tag(field) &+ totalByteCount(values)
    }

    /// Size of a packed field.
    @inlinable @inline(__always)
    public static func sizePacked(_ field: Int, _ values: [Value]) -> Int {
        values.isEmpty ? 0 : WireSize.tag(field) &+ WireSize.lengthDelimited(totalByteCount(values))
    }

    @inlinable
    static func totalByteCount(_ values: [Value]) -> Int {
        if let fixedByteCount { return values.count &* fixedByteCount }
        var size = 0
        forEachBackwards(values) { size &+= byteCount(inPlace: &$0) }
        return size
    }

    /// Calls `body` with each element where it lies in the array, last one first.
    ///
    /// Reading an element through the array or a pointer would copy it, and so retain and release everything
    /// in it, because the compiler cannot know that `body` leaves the array alone. An `inout` access is
    /// exclusive and needs no copy. `body` must not write to the element: the array may be shared.
    @inlinable
    @inline(__always)
    static func forEachBackwards(_ values: [Value], _ body: (inout Value) -> Void) {
        values.withUnsafeBufferPointer { elements in
            guard let first = elements.baseAddress else { return }
            var index = elements.count
            while index > 0 {
                index &-= 1
                body(&UnsafeMutablePointer(mutating: first + index).pointee)
            }
        }
    }
}

// MARK: - Writing (backwards: value first, then its tag)

extension FieldCodec {
    @inlinable @inline(__always)
    public static func write(_ field: Int, _ value: Value, _ writer: inout WireWriter) {
        guard !isDefault(value) else { return }
        writePresent(field, value, &writer)
    }

    @inlinable @inline(__always)
    public static func writePresent(_ field: Int, _ value: Value, _ writer: inout WireWriter) {
        writeValue(value, into: &writer)
        writer.writeTag(field, wireType)
    }

    @inlinable @inline(__always)
    public static func writePresent(_ field: Int, inPlace value: inout Value, _ writer: inout WireWriter) {
        writePresent(field, value, &writer)
    }

    @inlinable @inline(__always)
    public static func write(_ field: Int, _ value: inout Value?, _ writer: inout WireWriter) {
        // Comparing with nil or binding to a name would copy a message.
        guard case .some = value else { return }
        writePresent(field, inPlace: &value!, &writer)
    }

    @inlinable @inline(__always)
    public static func write(_ field: Int, _ values: [Value], _ writer: inout WireWriter) {
        guard !values.isEmpty else { return }
        writer.apart { writeElements(field, values, &$0) }
    }

    @inlinable
    static func writeElements(_ field: Int, _ values: [Value], _ writer: inout WireWriter) {
        forEachBackwards(values) { writePresent(field, inPlace: &$0, &writer) }
    }

    @inlinable @inline(__always)
    public static func writePacked(_ field: Int, _ values: [Value], _ writer: inout WireWriter) {
        guard !values.isEmpty else { return }
        writer.apart { writer in
            let end = writer.bytesLeft
            writeValues(values, into: &writer)
            writer.writeVarint(UInt64(truncatingIfNeeded: end &- writer.bytesLeft))
        }
        writer.writeTag(field, WireType.lengthDelimited)
    }

    @inlinable
    public static func writeValues(_ values: [Value], into writer: inout WireWriter) {
        forEachBackwards(values) { writeValue($0, into: &writer) }
    }
}

// MARK: - Reading

extension FieldCodec {
    /// Reads one value on its own.
    @inlinable
    public static func read(_ reader: inout WireReader) throws(WireError) -> Value {
        var value = defaultValue
        try mergeValue(into: &value, from: &reader)
        return value
    }

    @inlinable
    public static func read(_ value: inout Value, _ reader: inout WireReader) throws(WireError) {
        try mergeValue(into: &value, from: &reader)
    }

    @inlinable
    public static func read(_ value: inout Value?, _ reader: inout WireReader) throws(WireError) {
        var current = value.take() ?? defaultValue
        try mergeValue(into: &current, from: &reader)
        value = current
    }

    @inlinable
    public static func read(_ values: inout [Value], _ reader: inout WireReader) throws(WireError) {
        try reader.chargeElement(MemoryLayout<Value>.stride)
        values.append(try read(&reader))
    }

    /// Reads a packed or an unpacked occurrence of a repeated scalar field; senders may use either.
    @inlinable
    public static func readPackable(
        _ values: inout [Value], _ tag: UInt32, _ reader: inout WireReader
    ) throws(WireError) {
        guard tag & 7 == WireType.lengthDelimited else { return try read(&values, &reader) }
        let length = try reader.readVarint()
        guard length <= UInt64(UInt(bitPattern: reader.bytesLeft)) else { throw reader.error(.truncated) }
        let outer = reader.limit
        reader.limit = reader.position + Int(truncatingIfNeeded: length)
        try readValues(&values, from: &reader)
        reader.limit = outer
    }

    @inlinable
    public static func readValues(_ values: inout [Value], from reader: inout WireReader) throws(WireError) {
        while reader.position < reader.limit { try read(&values, &reader) }
    }
}
