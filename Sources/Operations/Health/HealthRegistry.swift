import RPC
import Synchronization

/// Which services of a server can take calls, and who wants to know.
///
/// ```
/// serving --beginDrain--> draining: everything is NOT_SERVING --close--> closed: watchers are sent away
/// ```
///
/// Safe from any task.
public final class HealthRegistry: Sendable {
    public typealias Status = GRPCHealth.HealthCheckResponse.ServingStatus

    /// Names the server as a whole.
    public static let wholeServer = ""
    /// Watch streams at once; they need no key. Default 1,000.
    public let maximumWatchers: Int
    /// Most services in one answer of List: a longer list is RESOURCE_EXHAUSTED (the contract asks for 100).
    static let maximumListed = 100

    private struct State {
        var statuses: [String: Status]
        var watchers: [Int: Watcher] = [:]
        var lastWatcherID = 0
        var isDraining = false
        var isClosed = false
    }

    private struct Watcher {
        let service: String
        let continuation: AsyncStream<Status>.Continuation
    }

    private let state: Mutex<State>

    /// - Parameter services: known from the start, as SERVING, and the server as a whole too.
    public init(services: [String] = [], maximumWatchers: Int = 1000) {
        self.maximumWatchers = maximumWatchers
        var statuses = [Self.wholeServer: Status.serving]
        for service in services { statuses[service] = .serving }
        state = Mutex(State(statuses: statuses))
    }

    /// Sets the state of a service, which becomes known by that. While draining it shows only after an end of that.
    public func set(_ status: Status, for service: String = wholeServer) {
        state.withLock { state in
            state.statuses[service] = status
            Self.tell(state) { $0 == service }
        }
    }

    /// The service is not known any more.
    public func remove(_ service: String) {
        state.withLock { state in
            state.statuses[service] = nil
            Self.tell(state) { $0 == service }
        }
    }

    /// nil for a service that is not known.
    public func status(of service: String = wholeServer) -> Status? {
        state.withLock { Self.effective($0, service) }
    }

    /// Every known service.
    public var all: [String: Status] {
        state.withLock { state in
            state.isDraining ? state.statuses.mapValues { _ in .notServing } : state.statuses
        }
    }

    /// Whether new calls are welcome: the server as a whole is SERVING and not draining.
    public var isReady: Bool { status() == .serving }

    /// Everything is NOT_SERVING from now on; watchers are told.
    public func beginDrain() {
        state.withLock { state in
            state.isDraining = true
            Self.tell(state) { _ in true }
        }
    }

    /// Ends all watches, after they have been told the last state: they would keep the server from ending.
    public func close() {
        let watchers = state.withLock { state in
            state.isDraining = true
            state.isClosed = true
            Self.tell(state) { _ in true }
            defer { state.watchers.removeAll() }
            return Array(state.watchers.values)
        }
        for watcher in watchers { watcher.continuation.finish() }
    }

    var watcherCount: Int { state.withLock { $0.watchers.count } }

    /// The state now and after every change; only the newest is kept for a slow reader.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when there are ``maximumWatchers``.
    func watch(_ service: String) throws(RPCError) -> AsyncStream<Status> {
        let (stream, continuation) = AsyncStream.makeStream(of: Status.self, bufferingPolicy: .bufferingNewest(1))
        let id: Int? = state.withLock { state in
            guard state.watchers.count < maximumWatchers else { return nil }
            continuation.yield(Self.effective(state, service) ?? .serviceUnknown)
            guard !state.isClosed else {
                continuation.finish()
                return -1
            }
            state.lastWatcherID += 1
            state.watchers[state.lastWatcherID] = Watcher(service: service, continuation: continuation)
            return state.lastWatcherID
        }
        guard let id else {
            throw RPCError(.resourceExhausted, "too many health watches: maximumWatchers (\(maximumWatchers)) reached")
        }
        // The end may be a cancelled reader's, which holds that reader's internal lock; `tell` takes the same two locks
        // in the other order, because it wakes readers inside of its own. So not here and now.
        continuation.onTermination = { [weak self] _ in Task { self?.forget(id) } }
        return stream
    }

    private func forget(_ id: Int) {
        // The continuation's end must not run inside the lock: it may call back.
        _ = state.withLock { $0.watchers.removeValue(forKey: id) }
    }

    private static func tell(_ state: State, where matches: (String) -> Bool) {
        for watcher in state.watchers.values where matches(watcher.service) {
            watcher.continuation.yield(effective(state, watcher.service) ?? .serviceUnknown)
        }
    }

    private static func effective(_ state: State, _ service: String) -> Status? {
        guard let status = state.statuses[service] else { return nil }
        return state.isDraining ? .notServing : status
    }
}
