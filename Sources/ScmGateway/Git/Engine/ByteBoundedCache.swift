import Synchronization

/// Keeps the most recently used values up to a number of bytes. Thread-safe.
///
/// Entries form a doubly linked list in an array (indices instead of references), most recent first; every
/// operation is O(1). The links stand apart from the values, which a look-up would otherwise copy each time it moves
/// one.
final class ByteBoundedCache<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    fileprivate struct Entry {
        var key: Key
        var value: Value
        var byteCount: Int
    }

    /// Places of the neighbours; -1 for none.
    fileprivate struct Links {
        var newer = -1
        var older = -1
    }

    fileprivate struct State {
        var entries: [Entry?] = []
        /// As many as there are entries.
        var links: [Links] = []
        var free: [Int] = []
        var index: [Key: Int] = [:]
        var newest = -1
        var oldest = -1
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
            guard let place = state.index[key] else { return nil }
            if state.newest != place {
                state.unlink(place)
                state.linkAsNewest(place)
            }
            return state.entries[place]?.value
        }
    }

    /// Stores a value, unless it alone would take more than a quarter of the cache.
    func insert(_ value: Value, for key: Key, byteCount: Int) {
        guard byteCount <= limit / 4 else { return }
        state.withLock { state in
            if let old = state.index[key] { state.remove(old) }
            let place = state.free.popLast() ?? state.entries.count
            if place == state.entries.count {
                state.entries.append(nil)
                state.links.append(Links())
            }
            state.entries[place] = Entry(key: key, value: value, byteCount: byteCount)
            state.index[key] = place
            state.byteCount += byteCount
            state.linkAsNewest(place)
            while state.byteCount > limit, state.oldest >= 0 { state.remove(state.oldest) }
        }
    }

    var byteCount: Int { state.withLock { $0.byteCount } }
    var count: Int { state.withLock { $0.index.count } }
}

extension ByteBoundedCache.State {
    mutating func unlink(_ place: Int) {
        let (newer, older) = (links[place].newer, links[place].older)
        if newer >= 0 { links[newer].older = older } else { newest = older }
        if older >= 0 { links[older].newer = newer } else { oldest = newer }
    }

    mutating func linkAsNewest(_ place: Int) {
        links[place] = ByteBoundedCache.Links(newer: -1, older: newest)
        if newest >= 0 { links[newest].newer = place } else { oldest = place }
        newest = place
    }

    mutating func remove(_ place: Int) {
        guard let entry = entries[place] else { return }
        unlink(place)
        byteCount -= entry.byteCount
        index[entry.key] = nil
        entries[place] = nil
        free.append(place)
    }
}
