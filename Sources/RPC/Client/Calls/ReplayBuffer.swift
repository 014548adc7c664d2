import NIOCore

/// What a call has sent, kept until the server has answered so that another attempt can send it again.
///
///     open --too large, or headers received--> closed (nothing is kept; no further attempt)
struct ReplayBuffer: Sendable {
    private(set) var isOpen = true
    private(set) var isFinished = false
    private var bodies: [ByteBuffer] = []
    private var byteCount = 0
    private let limit: Int
    /// Place of the next body that the running replay sends; nil when none runs.
    private var replayIndex: Int?

    init(limit: Int) { self.limit = limit }

    /// - Returns: true when the sender writes the body itself; false while a replay will do it.
    mutating func add(_ body: ByteBuffer) -> Bool {
        guard isOpen || replayIndex != nil else { return true }
        byteCount += body.readableBytes
        if byteCount > limit { isOpen = false }
        if isOpen || replayIndex != nil { bodies.append(body) } else { bodies = [] }
        return replayIndex == nil
    }

    /// - Returns: true when the sender ends the body itself.
    mutating func finish() -> Bool {
        isFinished = true
        return replayIndex == nil
    }

    mutating func close() {
        isOpen = false
        if replayIndex == nil { bodies = [] }
    }

    mutating func beginReplay() { replayIndex = 0 }

    /// The next body to send again; nil when the replay is done, and the sender goes on by itself.
    mutating func nextToReplay() -> ByteBuffer? {
        guard let index = replayIndex, index < bodies.count else {
            replayIndex = nil
            if !isOpen { bodies = [] }
            return nil
        }
        replayIndex = index + 1
        return bodies[index]
    }

    mutating func abandonReplay() { replayIndex = nil }
}
