import NIOCore
import Synchronization

/// Connects to the first of several addresses that answers: the next one is tried when one failed, or has not
/// answered after a while. Source: RFC 8305 "Happy Eyeballs", sections 4 and 5.
///
///     address 1  |------------- (slow) ------x closed, somebody else won
///     address 2      250 ms |-------- connected
///     address 3                  (not tried)
final class AddressRace: Sendable {
    typealias Dial = @Sendable (SocketAddress) async throws -> HTTPClientConnection

    private struct State {
        var remaining: ArraySlice<SocketAddress>
        var running = 0
        var failures: [String] = []
        var waiter: CheckedContinuation<HTTPClientConnection, any Error>?
        var isOver = false
    }

    private let state: Mutex<State>
    private let stagger: Duration
    private let dial: Dial

    private init(_ addresses: [SocketAddress], stagger: Duration, dial: @escaping Dial) {
        state = Mutex(State(remaining: Self.interleaved(addresses)[...]))
        self.stagger = stagger
        self.dial = dial
    }

    /// - Throws: ``HTTPConnectionError`` with the reason of every address.
    static func connect(
        _ addresses: [SocketAddress], stagger: Duration, dial: @escaping Dial
    ) async throws -> HTTPClientConnection {
        if addresses.count == 1, let only = addresses.first { return try await dial(only) }
        let race = AddressRace(addresses, stagger: stagger, dial: dial)
        return try await withCheckedThrowingContinuation { continuation in
            race.state.withLock { $0.waiter = continuation }
            race.startNext()
        }
    }

    /// Families take turns, so that a network without one of them costs one delay only.
    static func interleaved(_ addresses: [SocketAddress]) -> [SocketAddress] {
        guard let first = addresses.first else { return [] }
        var same = addresses.filter { $0.protocol == first.protocol }[...]
        var other = addresses.filter { $0.protocol != first.protocol }[...]
        var result: [SocketAddress] = []
        while !same.isEmpty || !other.isEmpty {
            if let next = same.popFirst() { result.append(next) }
            if let next = other.popFirst() { result.append(next) }
        }
        return result
    }

    private func startNext() {
        let next = state.withLock { state -> SocketAddress? in
            guard !state.isOver, let next = state.remaining.popFirst() else { return nil }
            state.running += 1
            return next
        }
        guard let next else { return fail() }
        Task {
            do {
                finish(try await dial(next))
            } catch {
                state.withLock {
                    $0.running -= 1
                    $0.failures.append("\(error)")
                }
                startNext()
            }
        }
        Task {
            try? await Task.sleep(for: stagger)
            if state.withLock({ !$0.isOver && !$0.remaining.isEmpty }) { startNext() }
        }
    }

    private func finish(_ connection: HTTPClientConnection) {
        let waiter = state.withLock { state in
            state.isOver = true
            defer { state.waiter = nil }
            return state.waiter
        }
        if let waiter { waiter.resume(returning: connection) } else { connection.closeNow() }
    }

    /// Nothing is left to try; fails when nothing runs any more either.
    private func fail() {
        let (waiter, failures) = state.withLock { state in
            guard state.running == 0, state.remaining.isEmpty, !state.isOver else {
                return (CheckedContinuation<HTTPClientConnection, any Error>?.none, [String]())
            }
            state.isOver = true
            defer { state.waiter = nil }
            return (state.waiter, state.failures)
        }
        waiter?.resume(throwing: HTTPConnectionError(failures.joined(separator: "; ")))
    }
}
