import RPC
import SiloRPC
import Synchronization

/// The way between the silos of one test: bytes are handed over as a connection would, errors too.
///
/// Every call is served in a task that inherits nothing from its caller, as in another process.
public final class InMemoryNetwork: Sendable {
    private struct State {
        var services: [SiloAddress: SiloServices] = [:]
        var stopped: Set<SiloAddress> = []
        var faults: [SiloFault] = []
        var disabled: Set<String> = []
        var sent: [SentCall] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// Opens a silo for calls.
    func open(_ address: SiloAddress, _ services: SiloServices) {
        state.withLock { $0.services[address] = services }
    }

    /// The way from one silo to the others.
    public func transport(from source: SiloAddress?) -> InMemoryTransport {
        InMemoryTransport(network: self, source: source)
    }

    // MARK: - What tests look at and change

    /// Every call that left a silo, faults included, in order.
    public var sent: [SentCall] { state.withLock { $0.sent } }

    public func forgetSent() { state.withLock { $0.sent = [] } }

    /// The next calls meet these faults, one each, in order.
    public func inject(_ faults: SiloFault...) { state.withLock { $0.faults += faults } }

    /// Faults that no call has met yet.
    public var remainingFaultCount: Int { state.withLock { $0.faults.count } }

    /// Nobody reaches the silo while `body` runs.
    public func stopping<R>(_ address: SiloAddress, _ body: () async throws -> R) async rethrows -> R {
        state.withLock { _ = $0.stopped.insert(address) }
        defer { state.withLock { _ = $0.stopped.remove(address) } }
        return try await body()
    }

    /// The method is switched off, at both sides, while `body` runs.
    public func disabling<R>(_ method: SiloMethod, _ body: () async throws -> R) async rethrows -> R {
        state.withLock { _ = $0.disabled.insert(method.key) }
        defer { state.withLock { _ = $0.disabled.remove(method.key) } }
        return try await body()
    }

    func checkEnabled(_ method: SiloMethod) throws {
        if state.withLock({ $0.disabled.contains(method.key) }) {
            throw SiloError.disabled(method: method.key, reason: "switched off by the test")
        }
    }

    // MARK: - Delivery

    func record(_ call: SiloCall, from source: SiloAddress?) -> SiloFault? {
        state.withLock { state in
            state.sent.append(
                SentCall(
                    source: source, destination: call.destination, method: call.method,
                    organizationID: call.organizationID, idempotencyKey: call.idempotencyKey, body: call.body
                ))
            return state.faults.isEmpty ? nil : state.faults.removeFirst()
        }
    }

    /// The services of a running silo.
    func services(_ address: SiloAddress) -> SiloServices? {
        state.withLock { $0.stopped.contains(address) ? nil : $0.services[address] }
    }
}

/// What the silos of a test let in: everything but what the test has switched off.
struct TestInboundPolicy: SiloInboundPolicy {
    let network: InMemoryNetwork

    func admit(_ call: SiloInboundCall) throws { try network.checkEnabled(call.method) }

    func answer(
        _ call: SiloInboundCall, _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8] {
        try await produce()
    }
}
