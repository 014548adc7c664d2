import NIOCore
import Testing

@testable import HTTPTransport

/// As SwiftNIO uses them: a pool for one buffer, which asks when it has none that is free and large enough.
@Suite(.timeLimit(.minutes(5))) struct ReadBuffersTests {
    /// A channel that reads; its handler tells the loop's buffer, as ``ServerConnection`` does.
    private struct Reader {
        var pool: NIOPooledRecvBufferAllocator
        let loop: LoopReadBuffer

        init(_ loop: LoopReadBuffer) {
            self.loop = loop
            pool = NIOPooledRecvBufferAllocator(capacity: 1, recvAllocator: ReadBuffers(loop))
        }

        /// - Returns: what was read, and where it lies.
        mutating func read(_ count: Int) -> (bytes: ByteBuffer, capacity: Int, address: UInt) {
            let (bytes, read) = pool.buffer(allocator: ByteBufferAllocator()) { buffer in
                buffer.writeRepeatingByte(1, count: min(count, buffer.writableBytes))
            }
            pool.record(actualReadBytes: read)
            loop.didRead(bytes)
            return (bytes, bytes.storageCapacity, bytes.withUnsafeReadableBytes { UInt(bitPattern: $0.baseAddress) })
        }
    }

    @Test func `little is read into the connection's own buffer`() {
        var reader = Reader(LoopReadBuffer())
        let addresses = (0..<20).map { _ in reader.read(100).address }
        #expect(Set(addresses).count == 1)
        #expect(reader.read(100).capacity == 512)
    }

    @Test func `a burst is read into the loop's buffer, and leaves the connection with its own`() {
        let loop = LoopReadBuffer()
        var reader = Reader(loop)
        for _ in 0..<10 { _ = reader.read(.max) }
        let large = Set((0..<10).map { _ in reader.read(.max).address })
        #expect(large.count == 1)
        #expect(reader.read(.max).capacity >= LoopReadBuffer.byteCount)
        for _ in 0..<20 { _ = reader.read(10) }
        #expect(reader.read(10).capacity <= 4096)
        // The next connection gets the same.
        var other = Reader(loop)
        for _ in 0..<10 { _ = other.read(.max) }
        #expect(large.contains(other.read(.max).address))
    }

    @Test func `what somebody still holds is not written to`() {
        var reader = Reader(LoopReadBuffer())
        for _ in 0..<10 { _ = reader.read(.max) }
        let held = (0..<3).map { _ in reader.read(.max) }
        #expect(Set(held.map(\.address)).count == 3)
        #expect(held.allSatisfy { $0.bytes.readableBytesView.allSatisfy { $0 == 1 } })
    }
}
