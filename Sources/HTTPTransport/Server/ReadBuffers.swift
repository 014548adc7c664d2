import NIOCore

/// What the connections of a server are read into. SwiftNIO keeps what it has read into, for as long as the connection
/// lives; so it gets only small buffers to keep:
///
///     little comes at a time ... the connection's own buffer, of `keptByteCount` at most
///     much comes ............... the event loop's buffer, lent for one read, and back when nobody holds a part of it
///
/// A connection that does nothing holds the same whether it has had a burst or not. Needs `maxMessagesPerRead` 1: with
/// more SwiftNIO would keep the first that it is lent.
///
/// A value of one channel; used on its event loop only.
struct ReadBuffers: RecvByteBufferAllocator {
    /// Largest buffer of a connection's own.
    private static let keptByteCount = 4 * 1024

    private var size = AdaptiveRecvByteBufferAllocator(
        minimum: 512, initial: 512, maximum: LoopReadBuffer.byteCount)
    private let loop: LoopReadBuffer

    init(_ loop: LoopReadBuffer) { self.loop = loop }

    private var isLarge: Bool { (size.nextBufferSize() ?? 0) > Self.keptByteCount }

    /// nil: do not look for one that was kept.
    func nextBufferSize() -> Int? { isLarge ? nil : size.nextBufferSize() }

    func buffer(allocator: ByteBufferAllocator) -> ByteBuffer {
        isLarge ? loop.lend() : size.buffer(allocator: allocator)
    }

    /// - Returns: true when the buffer that was kept must not be used.
    mutating func record(actualReadBytes: Int) -> Bool {
        _ = size.record(actualReadBytes: actualReadBytes)
        return isLarge
    }
}

/// The large buffer that the connections of an event loop take turns with.
///
/// `@unchecked Sendable`: on its event loop only.
final class LoopReadBuffer: @unchecked Sendable {
    static let byteCount = 64 * 1024

    private var last: ByteBuffer?

    func lend() -> ByteBuffer {
        if var buffer = last.take(), buffer.modifyIfUniquelyOwned({ $0.clear() }) != nil { return buffer }
        return ByteBufferAllocator().buffer(capacity: Self.byteCount)
    }

    /// Something was read; before it is used.
    func didRead(_ bytes: ByteBuffer) {
        if bytes.storageCapacity >= Self.byteCount { last = bytes }
    }
}
