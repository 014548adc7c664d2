import Synchronization

/// Requests that did not become calls, by the HTTP status of their answer. Off the path of calls: a lock is cheap
/// enough.
final class RefusalCounters: Sendable {
    private let counts = Mutex<[Int: Int]>([:])

    func add(_ status: Int) { counts.withLock { $0[status, default: 0] &+= 1 } }

    var all: [Int: Int] { counts.withLock { $0 } }
}

extension RPCServer {
    /// Requests that were refused before they were calls, by the HTTP status of the answer (400, 404, 405, 415, 505).
    public var refusedRequestCounts: [Int: Int] { refusals.all }
}
