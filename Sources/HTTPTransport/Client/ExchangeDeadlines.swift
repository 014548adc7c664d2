import NIOCore

/// When the exchanges of one connection must be over.
///
/// A heap by time with one timer of the event loop for its front, left to fire when that front goes away early, as
/// nearly every one does: a timer for each exchange would be made, sorted in and taken out again for nothing.
///
/// On the connection's event loop only.
final class ExchangeDeadlines {
    private let eventLoop: any EventLoop
    private var heap = DeadlineHeap()
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    deinit { heap.removeAll() }

    var count: Int { heap.count }

    /// Cancels the exchange then, unless it has left before. Replaces what was said earlier.
    func set(_ deadline: NIODeadline, for exchange: HTTPClientExchange) {
        remove(exchange)
        heap.insert(exchange, deadline)
        if deadline < timerDeadline { watchFront() }
    }

    func remove(_ exchange: HTTPClientExchange) {
        if let place = exchange.deadlinePlace { heap.remove(at: place) }
    }

    /// The connection is gone, and its exchanges with it.
    func removeAll() {
        heap.removeAll()
        timer?.cancel()
        (timer, timerDeadline) = (nil, .distantFuture)
    }

    private func watchFront() {
        guard let front = heap.front, front < timerDeadline else { return }
        timer?.cancel()
        timerDeadline = front
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: front) { [weak self] in self?.fire() }
    }

    private func fire() {
        (timer, timerDeadline) = (nil, .distantFuture)
        let now = eventLoop.now
        while let exchange = heap.popFront(notAfter: now) { exchange.cancel() }
        watchFront()
    }
}

/// Exchanges by deadline: a binary heap. Each knows its place in it, and it owns one reference of each, which moves
/// with the entry uncounted. A value, so that an operation is one access to its owner's memory.
private struct DeadlineHeap {
    private struct Entry {
        let deadline: NIODeadline
        let exchange: Unmanaged<HTTPClientExchange>
    }

    private var entries: [Entry] = []

    var count: Int { entries.count }
    var front: NIODeadline? { entries.first?.deadline }

    mutating func insert(_ exchange: HTTPClientExchange, _ deadline: NIODeadline) {
        let entry = Entry(deadline: deadline, exchange: .passRetained(exchange))
        entries.append(entry)
        siftUp(entry, from: entries.count - 1)
    }

    mutating func remove(at place: Int) { take(at: place).release() }

    mutating func popFront(notAfter time: NIODeadline) -> HTTPClientExchange? {
        guard let front, front <= time else { return nil }
        return take(at: 0).takeRetainedValue()
    }

    mutating func removeAll() {
        for entry in entries {
            entry.exchange._withUnsafeGuaranteedRef { $0.deadlinePlace = nil }
            entry.exchange.release()
        }
        entries = []
    }

    /// - Returns: the exchange with the reference that was the heap's.
    private mutating func take(at place: Int) -> Unmanaged<HTTPClientExchange> {
        let taken = entries[place].exchange
        taken._withUnsafeGuaranteedRef { $0.deadlinePlace = nil }
        let last = entries.removeLast()
        if place < entries.count { siftDown(last, from: siftUp(last, from: place)) }
        return taken
    }

    private mutating func put(_ entry: Entry, at place: Int) {
        entries[place] = entry
        entry.exchange._withUnsafeGuaranteedRef { $0.deadlinePlace = place }
    }

    /// - Returns: where the entry is now.
    @discardableResult
    private mutating func siftUp(_ entry: Entry, from start: Int) -> Int {
        var place = start
        while place > 0, entry.deadline < entries[(place - 1) / 2].deadline {
            put(entries[(place - 1) / 2], at: place)
            place = (place - 1) / 2
        }
        put(entry, at: place)
        return place
    }

    private mutating func siftDown(_ entry: Entry, from start: Int) {
        var place = start
        while let child = leastChild(of: place), entries[child].deadline < entry.deadline {
            put(entries[child], at: place)
            place = child
        }
        put(entry, at: place)
    }

    private func leastChild(of place: Int) -> Int? {
        let (left, right) = (2 * place + 1, 2 * place + 2)
        guard left < entries.count else { return nil }
        return right < entries.count && entries[right].deadline < entries[left].deadline ? right : left
    }
}
