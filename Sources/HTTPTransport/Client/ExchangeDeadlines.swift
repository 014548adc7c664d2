import NIOCore

/// When the exchanges of one connection must be over.
///
/// A heap by time with one timer of the event loop for its front, left to fire when that front goes away early, as
/// nearly every one does: a timer for each exchange would be made, sorted in and taken out again for nothing.
///
/// On the connection's event loop only.
final class ExchangeDeadlines {
    private struct Entry {
        let deadline: NIODeadline
        let exchange: HTTPClientExchange
    }

    private let eventLoop: any EventLoop
    private var heap: [Entry] = []
    private var timer: Scheduled<Void>?
    private var timerDeadline = NIODeadline.distantFuture

    init(_ eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    var count: Int { heap.count }

    /// Cancels the exchange then, unless it has left before. Replaces what was said earlier.
    func set(_ deadline: NIODeadline, for exchange: HTTPClientExchange) {
        remove(exchange)
        let place = heap.count
        heap.append(Entry(deadline: deadline, exchange: exchange))
        exchange.deadlinePlace = place
        siftUp(place)
        watchFront()
    }

    func remove(_ exchange: HTTPClientExchange) {
        guard let place = exchange.deadlinePlace else { return }
        exchange.deadlinePlace = nil
        swap(place, heap.count - 1)
        heap.removeLast()
        guard place < heap.count else { return }
        siftUp(place)
        siftDown(place)
    }

    /// The connection is gone, and its exchanges with it.
    func removeAll() {
        for entry in heap { entry.exchange.deadlinePlace = nil }
        heap.removeAll()
        timer?.cancel()
        (timer, timerDeadline) = (nil, .distantFuture)
    }

    private func watchFront() {
        guard let front = heap.first, front.deadline < timerDeadline else { return }
        timer?.cancel()
        timerDeadline = front.deadline
        timer = eventLoop.assumeIsolated().scheduleTask(deadline: front.deadline) { [weak self] in self?.fire() }
    }

    private func fire() {
        (timer, timerDeadline) = (nil, .distantFuture)
        let now = eventLoop.now
        while let front = heap.first, front.deadline <= now {
            remove(front.exchange)
            front.exchange.cancel()
        }
        watchFront()
    }

    // MARK: Heap

    private func siftUp(_ place: Int) {
        var place = place
        while place > 0, heap[place].deadline < heap[(place - 1) / 2].deadline {
            swap(place, (place - 1) / 2)
            place = (place - 1) / 2
        }
    }

    private func siftDown(_ place: Int) {
        var place = place
        while true {
            var least = place
            for child in (2 * place + 1)..<(2 * place + 3) where child < heap.count {
                if heap[child].deadline < heap[least].deadline { least = child }
            }
            guard least != place else { return }
            swap(place, least)
            place = least
        }
    }

    private func swap(_ one: Int, _ two: Int) {
        guard one != two else { return }
        heap.swapAt(one, two)
        if heap[one].exchange.deadlinePlace != nil { heap[one].exchange.deadlinePlace = one }
        if heap[two].exchange.deadlinePlace != nil { heap[two].exchange.deadlinePlace = two }
    }
}
