import NIOCore

/// Body bytes waiting to be sent, in order. The first buffer is kept inline: a unary answer never needs an
/// array.
struct BodyQueue {
    private var first: ByteBuffer?
    private var rest = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    private(set) var byteCount = 0

    var isEmpty: Bool { byteCount == 0 }

    mutating func append(_ bytes: ByteBuffer) {
        guard bytes.readableBytes > 0 else { return }
        byteCount += bytes.readableBytes
        if first == nil { first = bytes } else { rest.append(bytes) }
    }

    /// The next whole buffer.
    mutating func popFirst() -> ByteBuffer? {
        guard let taken = first else { return nil }
        byteCount -= taken.readableBytes
        first = rest.popFirst()
        return taken
    }

    /// Copies up to `capacity` bytes to `memory`; returns how many.
    mutating func copy(to memory: UnsafeMutablePointer<UInt8>, capacity: Int) -> Int {
        var copied = 0
        while copied < capacity, let available = first?.readableBytes {
            let amount = min(available, capacity - copied)
            first?.readWithUnsafeReadableBytes { source -> Int in
                if let base = source.baseAddress {
                    UnsafeMutableRawPointer(memory + copied).copyMemory(from: base, byteCount: amount)
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
        first = nil
        rest.removeAll()
        byteCount = 0
    }
}
