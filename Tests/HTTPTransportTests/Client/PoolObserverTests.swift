import Foundation
import NIOCore
import Synchronization
import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct PoolObserverTests {
    private struct Nowhere: NameResolver {
        func resolve() async throws -> [SocketAddress] { throw HTTPConnectionError("no such host") }
    }

    private final class Progress: Sendable {
        let lastRead = Atomic(0)
        let hasCancelledAll = Atomic(false)
        let hasStoppedChanging = Atomic(false)
    }

    /// Waking a reader needs the lock of its task, which runs its cancellation handlers with that lock held: had they
    /// waited for the pool's lock, in which readers are woken, both would wait for ever. On threads of their own, so
    /// that the test ends even so.
    @Test("readers of the connectivity state that are cancelled while it changes hold nobody up")
    func cancelledReaders() async throws {
        var configuration = HTTPConnectionPool.Configuration(
            target: ConnectionTarget(host: "nowhere.invalid", port: 1), httpProtocol: .http2)
        configuration.resolver = Nowhere()
        configuration.backoff.initial = .zero
        let pool = HTTPConnectionPool(configuration, group: testGroup)
        let progress = Progress()
        Thread.detachNewThread {
            // Each time: connecting, then a failure.
            while !progress.hasCancelledAll.load(ordering: .relaxed) { pool.connect() }
            progress.hasStoppedChanging.store(true, ordering: .relaxed)
        }
        Thread.detachNewThread {
            for number in 1...200 {
                let states = pool.connectivityStates
                let reader = Task {
                    for await _ in states { progress.lastRead.store(number, ordering: .relaxed) }
                }
                while progress.lastRead.load(ordering: .relaxed) < number { sched_yield() }
                reader.cancel()
            }
            progress.hasCancelledAll.store(true, ordering: .relaxed)
        }
        // Up to two minutes, for a machine that is busy: a deadlock lasts longer.
        var hasStopped = false
        for _ in 0..<6 where !hasStopped {
            hasStopped = await eventually { progress.hasStoppedChanging.load(ordering: .relaxed) }
        }
        try #require(hasStopped)
        await pool.shutdown()
        #expect(pool.connectivityState == .shutdown)
    }

    @Test("a reader gets the state of now and the end")
    func end() async {
        let pool = HTTPConnectionPool(
            HTTPConnectionPool.Configuration(
                target: ConnectionTarget(host: "nowhere.invalid", port: 1), httpProtocol: .http2), group: testGroup)
        let states = pool.connectivityStates
        await pool.shutdown()
        var seen: [ConnectivityState] = []
        for await state in states { seen.append(state) }
        #expect(seen == [.idle, .shutdown])
        for await state in pool.connectivityStates { #expect(state == .shutdown) }
    }
}
