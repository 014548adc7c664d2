import NIOCore
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct BodyQueueTests {
    /// Pieces in place, whole buffers, and pieces after them leave in the order in which they came, however they are
    /// taken.
    @Test("pieces and buffers keep their order", arguments: [1, 3, 7, 64, 1_000, 100_000]) func order(step: Int) {
        var queue = BodyQueue()
        defer { queue.deallocate() }
        var expected: [UInt8] = []
        var taken: [UInt8] = []
        for round in 0..<40 {
            let bytes = (0..<(round * 37 % 400)).map { UInt8(truncatingIfNeeded: $0 &+ round) }
            expected += bytes
            if round % 5 == 3 {
                queue.append(ByteBuffer(bytes: bytes))
            } else {
                queue.append(count: bytes.count) { memory in memory.copyBytes(from: bytes) }
            }
            if round % 3 == 0 { taken += Self.take(step, from: &queue) }
        }
        #expect(queue.byteCount == expected.count - taken.count)
        while !queue.isEmpty { taken += Self.take(step, from: &queue) }
        #expect(taken == expected)
    }

    @Test("a piece that is not written leaves nothing behind") func failing() {
        struct Refusal: Error {}
        var queue = BodyQueue()
        defer { queue.deallocate() }
        #expect(throws: Refusal.self) { try queue.append(count: 10) { _ in throw Refusal() } }
        #expect(queue.isEmpty)
        queue.append(count: 2) { $0.copyBytes(from: [1, 2]) }
        #expect(Self.take(9, from: &queue) == [1, 2])
    }

    @Test("a recycled queue is empty") func recycling() {
        var queue = BodyQueue()
        defer { queue.deallocate() }
        queue.append(count: 10_000) { $0.initializeMemory(as: UInt8.self, repeating: 7) }
        queue.append(ByteBuffer(bytes: [1]))
        queue.recycle()
        #expect(queue.isEmpty)
        #expect(Self.take(10, from: &queue).isEmpty)
    }

    private static func take(_ count: Int, from queue: inout BodyQueue) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: count) { memory, taken in
            taken = memory.baseAddress.map { queue.copy(to: $0, capacity: count) } ?? 0
        }
    }
}
