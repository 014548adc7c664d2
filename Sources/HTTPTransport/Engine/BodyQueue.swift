import NIOCore

/// Body bytes waiting to be sent, in order: first those written piece by piece into the queue's own memory, then whole
/// buffers.
///
///     | taken | piece piece piece | free |   buffer, buffer, ...
///     0       start               end   capacity
///
/// The own memory is kept when the queue runs empty, so that a stream of short messages allocates nothing. The owner
/// calls ``deallocate()`` in the end.
struct BodyQueue {
    private var memory: UnsafeMutableRawPointer?
    private var capacity = 0
    private var start = 0
    private var end = 0
    private var first: ByteBuffer?
    private var rest = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    private(set) var byteCount = 0

    /// Longest piece that goes into the own memory; a longer one gets a buffer, which is not copied again.
    private static let largestPiece = 16 * 1024
    /// Own memory of an idle stream.
    private static let keptCapacity = 4 * 1024

    var isEmpty: Bool { byteCount == 0 }

    mutating func append(_ bytes: ByteBuffer) {
        let count = bytes.readableBytes
        guard count > 0 else { return }
        byteCount += count
        if first == nil { first = bytes } else { rest.append(bytes) }
    }

    /// Appends `count` bytes that `write` puts into the memory it gets.
    mutating func append(count: Int, _ write: (UnsafeMutableRawBufferPointer) throws -> Void) rethrows {
        guard first == nil, count <= Self.largestPiece, let memory = room(for: count) else {
            var buffer = ByteBufferAllocator().buffer(capacity: count)
            try buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { memory in
                try write(UnsafeMutableRawBufferPointer(rebasing: memory.prefix(count)))
                return count
            }
            return append(buffer)
        }
        try write(UnsafeMutableRawBufferPointer(start: memory, count: count))
        end += count
        byteCount += count
    }

    private mutating func room(for count: Int) -> UnsafeMutableRawPointer? {
        if let memory, capacity - end >= count { return memory + end }
        let held = end - start
        if let memory, capacity - held >= count, start >= held {
            memory.copyMemory(from: memory + start, byteCount: held)
        } else {
            // Most queues get one piece.
            let larger = max(256, held == 0 ? count : (held + count) * 2)
            let moved = UnsafeMutableRawPointer.allocate(byteCount: larger, alignment: 16)
            if let memory {
                moved.copyMemory(from: memory + start, byteCount: held)
                memory.deallocate()
            }
            memory = moved
            capacity = larger
        }
        start = 0
        end = held
        return memory.map { $0 + held }
    }

    /// The next whole buffer. Only for queues that got nothing but buffers.
    mutating func popFirst() -> ByteBuffer? {
        guard let taken = first else { return nil }
        byteCount -= taken.readableBytes
        first = rest.popFirst()
        return taken
    }

    /// Copies up to `capacity` bytes to `target`; returns how many.
    mutating func copy(to target: UnsafeMutablePointer<UInt8>, capacity: Int) -> Int {
        var copied = 0
        if let memory, start < end {
            copied = min(end - start, capacity)
            UnsafeMutableRawPointer(target).copyMemory(from: memory + start, byteCount: copied)
            start += copied
            if start == end {
                start = 0
                end = 0
            }
        }
        while copied < capacity, let available = first?.readableBytes {
            let amount = min(available, capacity - copied)
            first?.readWithUnsafeReadableBytes { source -> Int in
                if let base = source.baseAddress {
                    UnsafeMutableRawPointer(target + copied).copyMemory(from: base, byteCount: amount)
                }
                return amount
            }
            copied += amount
            if amount == available { first = rest.popFirst() }
        }
        byteCount -= copied
        return copied
    }

    mutating func removeAll() {
        if first != nil {
            first = nil
            rest.removeAll()
        }
        start = 0
        end = 0
        byteCount = 0
    }

    /// For the next stream: empty, without much memory.
    mutating func recycle() {
        removeAll()
        if capacity > Self.keptCapacity { deallocate() }
    }

    mutating func deallocate() {
        memory?.deallocate()
        memory = nil
        capacity = 0
        start = 0
        end = 0
    }
}
