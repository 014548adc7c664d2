import RPC
import SiloRPC
import Synchronization

/// The way between the silos of one test: bytes are handed over as a connection would, errors too.
///
/// Requests are signed and verified. Every call is served in a task that inherits nothing from its caller, as in
/// another process.
public final class InMemoryNetwork: Sendable {
    private struct State {
        var servers: [SiloAddress: Server] = [:]
        var stopped: Set<SiloAddress> = []
        var faults: [SiloFault] = []
        var sent: [SentCall] = []
    }

    /// What a silo answers with.
    struct Server {
        let services: SiloServices
        let verifier: SiloVerifier
    }

    /// Of all silos of the test, at both sides.
    public let switches = SiloSwitches()
    private let keys: [SiloKey]
    private let state = Mutex(State())

    /// - Parameter cells: besides control; a key for each direction is made.
    init(cells: [SiloAddress]) throws {
        keys = try cells.flatMap { cell in
            try [(SiloAddress.control, cell), (cell, .control)].map { source, audience in
                let id = "\(source).\(audience)".split(separator: ":").joined(separator: "-")
                let secret = Array("secret of \(id) for a test only".utf8)
                return try SiloKey(id: id, source: source, audience: audience, secret: secret)
            }
        }
    }

    /// Opens a silo for calls.
    func open(_ address: SiloAddress, _ services: SiloServices) throws {
        let server = Server(services: services, verifier: SiloVerifier(keyring: try keyring(address)))
        state.withLock { $0.servers[address] = server }
    }

    private func keyring(_ address: SiloAddress) throws -> SiloKeyring {
        try SiloKeyring(address: address, keys: keys)
    }

    /// The way from one silo to the others.
    public func transport(from source: SiloAddress) throws -> InMemoryTransport {
        InMemoryTransport(network: self, source: source, keyring: try keyring(source))
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
        // Only a time or a number can be wrong.
        switches.set(method.key, try? SiloSwitches.Setting(disabledReason: "switched off by the test"))
        defer { switches.set(method.key, nil) }
        return try await body()
    }

    // MARK: - Delivery

    func record(_ call: SiloCall, from source: SiloAddress) -> SiloFault? {
        state.withLock { state in
            state.sent.append(
                SentCall(
                    source: source, destination: call.destination, method: call.method,
                    organizationID: call.organizationID, idempotencyKey: call.idempotencyKey, body: call.body
                ))
            return state.faults.isEmpty ? nil : state.faults.removeFirst()
        }
    }

    /// A running silo.
    func server(_ address: SiloAddress) -> Server? {
        state.withLock { $0.stopped.contains(address) ? nil : $0.servers[address] }
    }
}
