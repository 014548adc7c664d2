import RPC
import SiloTestKit
import Testing

@testable import SiloRPC

/// Keys that control has and a cell's replica lacks.
@Suite(.timeLimit(.minutes(5))) struct KeyDemandTests {
    private func access(_ node: SiloNode) -> APIKeyInterceptor {
        let demand = node.process.demand
        let keys = APIKeyInterceptor(
            keys: APIKeyStore(node.database), signatures: nil, demand: demand)
        node.process.keys?.observe(keys.forget)
        return keys
    }

    private func principal(_ keys: APIKeyInterceptor, _ text: String) async throws -> Principal {
        try await keys.principal(of: SiloTests.metadata("x-api-key", text))
    }

    private func refusal(_ keys: APIKeyInterceptor, _ text: String) async -> StatusCode? {
        do {
            _ = try await principal(keys, text)
            return nil
        } catch {
            return (error as? RPCError)?.code
        }
    }

    @Test("a key, and an organization, made a moment ago are known with the first call")
    func newKey() async throws {
        try await TestSilos.run(.control) { silos in
            let cell = try silos.cell("us")
            let keys = access(cell)
            // No pull in between: the organization is as new as its key.
            let mapping = try #require(silos.here.process.mapping)
            let id = try await mapping.create(slug: "fresh", cellName: "us").organizationID
            let made = try await APIKeyStore(silos.here.database).create(organizationID: id)
            #expect(try await principal(keys, made.text).organizationID == id)
            let another = try await APIKeyStore(silos.here.database).create(organizationID: id)
            #expect(try await principal(keys, another.text).keyID == another.key.id)
        }
    }

    @Test("a key that signs is asked for too")
    func signingKey() async throws {
        try await TestSilos.run(.control) { silos in
            let cell = try silos.cell("us")
            let id = try await silos.makeOrganization("fresh").organizationID
            let store = APIKeyStore(silos.here.database)
            let made = try await store.create(NewAPIKey(organizationID: id, isSigning: true))
            let demand = try #require(cell.process.demand)
            let verifier = SignatureVerifier(keys: APIKeyStore(cell.database), demand: demand)
            #expect(try await verifier.find(id: made.key.id)?.key == made.key)
            #expect(try await verifier.find(id: 99) == nil)
        }
    }

    @Test("what cannot be a key asks nobody; a key that nobody has is asked for once, then remembered")
    func unknown() async throws {
        try await TestSilos.run(.control) { silos in
            let keys = access(try silos.cell("us"))
            silos.network.forgetSent()
            for text in ["short", String(repeating: "x", count: 300)] {
                #expect(await refusal(keys, text) == .unauthenticated)
            }
            #expect(silos.network.sent.isEmpty)
            let wrong = "scm_" + String(repeating: "w", count: 43)
            for _ in 0..<5 { #expect(await refusal(keys, wrong) == .unauthenticated) }
            let feeds = silos.network.sent.filter { $0.method == APIKeyFeedServiceMethod.listChanges }
            #expect(feeds.count < 5)
        }
    }

    @Test("while control is down unknown keys are refused and known ones go on")
    func controlDown() async throws {
        try await TestSilos.run(.control) { silos in
            let id = try await silos.makeOrganization("acme").organizationID
            let made = try await APIKeyStore(silos.here.database).create(organizationID: id)
            try await silos.replicate()
            let keys = access(try silos.cell("us"))
            try await silos.network.stopping(.control) {
                for index in 0..<3 {
                    #expect(await refusal(keys, "scm_unknown-unknown-\(index)") == .unauthenticated)
                }
                let known = try await principal(keys, made.text)
                #expect(known.organizationID == id)
            }
        }
    }

    @Test("a revoked or removed key is refused as soon as the replica has the change")
    func revoked() async throws {
        try await TestSilos.run(.control) { silos in
            let id = try await silos.makeOrganization("acme").organizationID
            let store = APIKeyStore(silos.here.database)
            let first = try await store.create(organizationID: id)
            let second = try await store.create(organizationID: id)
            let keys = access(try silos.cell("us"))
            #expect(try await principal(keys, first.text).keyID == first.key.id)
            #expect(try await principal(keys, second.text).keyID == second.key.id)
            try await store.revoke(id: first.key.id)
            try await store.remove(id: second.key.id)
            try await silos.replicate()
            #expect(await refusal(keys, first.text) == .unauthenticated)
            #expect(await refusal(keys, second.text) == .unauthenticated)
        }
    }

    @Test("what is remembered of keys ends when the replica begins anew: control has forgotten them")
    func anew() async throws {
        try await TestSilos.run(.control) { silos in
            let id = try await silos.makeOrganization("acme").organizationID
            let store = APIKeyStore(silos.here.database)
            let made = try await store.create(organizationID: id)
            try await silos.replicate()
            let keys = access(try silos.cell("us"))
            #expect(try await principal(keys, made.text).keyID == made.key.id)
            try await silos.here.database.write { transaction in
                for table in ["api_keys", "api_key_changes", "silo_histories"] {
                    _ = try transaction.execute("DELETE FROM \(table)")
                }
            }
            try await silos.replicate()
            #expect(await refusal(keys, made.text) == .unauthenticated)
        }
    }

    @Test("what was read before keys were forgotten is not remembered")
    func race() {
        let keys = VerifiedKeys()
        let known = KnownKey([1], Principal(organizationID: 1, keyID: 7, scopes: []))
        let refused = KnownKey([2], nil)
        let age = keys.age
        keys.remember(known, until: .now + .seconds(50), age: age)
        keys.remember(refused, until: .now + .seconds(50), age: age)
        keys.forget([8])
        #expect(keys.count == 1, "a refused key may be the new one")
        keys.forget([7])
        #expect(keys.count == 0)
        keys.remember(known, until: .now + .seconds(50), age: age)
        #expect(keys.count == 0)
    }

    // MARK: - ReplicaDemand

    @Test("many who need something new share one pull, which begins after they came")
    func shared() async throws {
        let pulls = StoredAnswersTests.Counter()
        let gate = AsyncStream<Void>.makeStream()
        var limits = ReplicaDemand.Limits()
        limits.patience = .seconds(60)
        let demand = ReplicaDemand(limits: limits) {
            // The first pull waits until the others have come.
            if pulls.next() == 1 { for await _ in gate.stream { return } }
        }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { await demand.refresh() }
            while pulls.count == 0 { try await Task.sleep(for: .milliseconds(1)) }
            for _ in 0..<100 { group.addTask { await demand.refresh() } }
            while demand.waitingCount < 101 { try await Task.sleep(for: .milliseconds(1)) }
            gate.continuation.yield()
            for try await outcome in group { #expect(outcome) }
        }
        #expect(pulls.count == 2)
    }

    @Test("who waits too long goes on without; nobody waits in the pause; one too many does not wait")
    func impatient() async {
        var limits = ReplicaDemand.Limits()
        limits.patience = .milliseconds(20)
        limits.pause = .seconds(1000)
        let silent = ReplicaDemand(limits: limits) { try await Task.sleep(for: .seconds(1000)) }
        #expect(await silent.refresh() == false)
        let failing = ReplicaDemand(limits: limits) { throw CancellationError() }
        #expect(await failing.refresh() == false)
        limits.pause = .zero
        limits.maximumWaitingCount = 0
        let full = ReplicaDemand(limits: limits) {}
        #expect(await full.refresh() == false)
        limits.maximumWaitingCount = 1
        limits.patience = .seconds(30)
        let good = ReplicaDemand(limits: limits) {}
        #expect(await good.refresh() == true)
        #expect(await good.refresh() == true)
    }
}
