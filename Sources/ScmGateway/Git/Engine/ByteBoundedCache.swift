import Synchronization

/// Keeps the most recently used values up to a number of bytes. Thread-safe.
///
/// Entries form a doubly linked list in an array (indices instead of references), most recent first; every
/// operation is O(1).
final class ByteBoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    fileprivate struct Node {
        var key: Key
        var value: Value
        var byteCount: Int
        var newer: Int?
        var older: Int?
    }

    fileprivate struct State {
        var nodes: [Node?] = []
        var free: [Int] = []
        var index: [Key: Int] = [:]
        var newest: Int?
        var oldest: Int?
        var byteCount = 0
    }

    private let limit: Int
    private let state = Mutex(State())

    /// - Parameter limit: in bytes, by the callers' own estimates.
    init(limit: Int) {
        self.limit = limit
    }

    subscript(key: Key) -> Value? {
        state.withLock { state -> Value? in
            guard let index = state.index[key] else { return nil }
            state.unlink(index)
            state.linkAsNewest(index)
            return state.nodes[index]?.value
        }
    }

    /// Stores a value, unless it alone would take more than a quarter of the cache.
    func insert(_ value: Value, for key: Key, byteCount: Int) {
        guard byteCount <= limit / 4 else { return }
        state.withLock { state in
            if let old = state.index[key] { state.remove(old) }
            let index = state.free.popLast() ?? state.nodes.count
            if index == state.nodes.count { state.nodes.append(nil) }
            state.nodes[index] = Node(key: key, value: value, byteCount: byteCount, newer: nil, older: nil)
            state.index[key] = index
            state.byteCount += byteCount
            state.linkAsNewest(index)
            while state.byteCount > limit, let oldest = state.oldest { state.remove(oldest) }
        }
    }

    var byteCount: Int { state.withLock { $0.byteCount } }
    var count: Int { state.withLock { $0.index.count } }
}

extension ByteBoundedCache.State {
    mutating func unlink(_ index: Int) {
        guard let node = nodes[index] else { return }
        if let newer = node.newer { nodes[newer]?.older = node.older } else { newest = node.older }
        if let older = node.older { nodes[older]?.newer = node.newer } else { oldest = node.newer }
    }

    mutating func linkAsNewest(_ index: Int) {
        nodes[index]?.newer = nil
        nodes[index]?.older = newest
        if let newest { nodes[newest]?.newer = index } else { oldest = index }
        newest = index
    }

    mutating func remove(_ index: Int) {
        guard let node = nodes[index] else { return }
        unlink(index)
        byteCount -= node.byteCount
        self.index[node.key] = nil
        nodes[index] = nil
        free.append(index)
    }
}
