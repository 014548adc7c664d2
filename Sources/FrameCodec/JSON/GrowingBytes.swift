/// Bytes under construction, front to back. What `[UInt8]` does too, without a look at its reference count for
/// each byte.
struct GrowingBytes: ~Copyable {
    private var memory: UnsafeMutableRawPointer
    private var capacity: Int
    private(set) var count = 0

    init(capacity: Int = 256) {
        self.capacity = max(capacity, 64)
        memory = .allocate(byteCount: self.capacity, alignment: 16)
    }

    deinit { memory.deallocate() }

    /// The bytes from `start` on.
    func array(from start: Int = 0) -> [UInt8] {
        guard count > start else { return [] }
        return [UInt8](unsafeUninitializedCapacity: count - start) { target, initialized in
            UnsafeMutableRawBufferPointer(target)
                .copyMemory(from: UnsafeRawBufferPointer(start: memory + start, count: count - start))
            initialized = count - start
        }
    }

    func withBytes<Value, Failure: Error>(
        _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
    ) throws(Failure) -> Value {
        try body(UnsafeRawBufferPointer(start: memory, count: count))
    }

    /// Drops everything from `start` on.
    mutating func remove(from start: Int) {
        precondition(start >= 0 && start <= count, "there are not so many bytes")
        count = start
    }

    /// Where to write the next `room` bytes; ``advance(_:)`` then says how many it were.
    @inline(__always)
    mutating func reserve(_ room: Int) -> UnsafeMutableRawPointer {
        if capacity &- count < room { grow(room) }
        return memory + count
    }

    /// Takes what was written into the memory that ``reserve(_:)`` gave out.
    @inline(__always)
    mutating func advance(_ written: Int) {
        count &+= written
    }

    @inline(never)
    private mutating func grow(_ room: Int) {
        capacity = max(capacity * 2, count + room)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 16)
        larger.copyMemory(from: memory, byteCount: count)
        memory.deallocate()
        memory = larger
    }

    @inline(__always)
    mutating func append(_ byte: UInt8) {
        reserve(1).storeBytes(of: byte, as: UInt8.self)
        count &+= 1
    }

    @inline(__always)
    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let base = bytes.baseAddress else { return }
        WireWriter.copy(bytes.count, from: base, to: reserve(bytes.count))
        count &+= bytes.count
    }

    mutating func append(_ bytes: [UInt8]) { bytes.withUnsafeBytes { append($0) } }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Puts `bytes` in front of what begins at `position`.
    mutating func insert(_ bytes: [UInt8], at position: Int) {
        precondition(position >= 0 && position <= count, "there are not so many bytes")
        _ = reserve(bytes.count)
        let target = memory + position
        (target + bytes.count).copyMemory(from: target, byteCount: count - position)
        bytes.withUnsafeBytes {
            UnsafeMutableRawBufferPointer(start: target, count: $0.count).copyMemory(from: $0)
        }
        count += bytes.count
    }

    /// Replaces one byte.
    mutating func set(_ byte: UInt8, at position: Int) {
        precondition(position >= 0 && position < count, "there are not so many bytes")
        memory.storeBytes(of: byte, toByteOffset: position, as: UInt8.self)
    }

    /// The decimal digits of `value`.
    mutating func append(decimal value: UInt64, isNegative: Bool = false) {
        if isNegative { append(UInt8(ascii: "-")) }
        let memory = reserve(20)
        let digits = Self.digitCount(value)
        var rest = value
        var position = digits
        while position > 0 {
            let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
            position &-= 1
            memory.storeBytes(
                of: UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: digit), toByteOffset: position, as: UInt8.self)
            rest = quotient
        }
        count &+= digits
    }

    mutating func append(decimal value: Int64) { append(decimal: value.magnitude, isNegative: value < 0) }

    private static func digitCount(_ value: UInt64) -> Int {
        var count = 1
        var rest = value
        while rest >= 10_000 {
            rest /= 10_000
            count &+= 4
        }
        return count &+ (rest >= 1000 ? 3 : rest >= 100 ? 2 : rest >= 10 ? 1 : 0)
    }
}
