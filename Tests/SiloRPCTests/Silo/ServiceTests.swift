import RPC
import SiloTestKit
import Storage
import Testing

@testable import SiloRPC

/// The services of control: API keys, integrations, installations.
@Suite(.timeLimit(.minutes(5))) struct ServiceTests {
    private func find(_ silos: TestSilos, _ cell: String, _ text: String) async throws -> APIKey? {
        try await APIKeyStore(try silos.cell(cell).database).find(text: text)
    }

    @Test("a key that control makes is known in its organization's cell, and nowhere else")
    func keys() async throws {
        try await TestSilos.run(.control) { silos in
            let us = try await silos.makeOrganization("american", in: "us").organizationID
            let eu = try await silos.makeOrganization("european", in: "eu").organizationID
            let store = APIKeyStore(silos.here.database)
            let made = try await store.create(organizationID: us, name: "ci", scopes: [.read])
            let other = try await store.create(
                NewAPIKey(organizationID: eu, expiresAt: EpochTime.now + 60_000, callsPerMinute: 7, isSigning: true))
            try await silos.replicate()
            #expect(try await find(silos, "us", made.text) == made.key)
            #expect(try await find(silos, "eu", made.text) == nil)
            #expect(try await find(silos, "eu", other.text) == other.key)
            let signing = try await APIKeyStore(try silos.cell("eu").database).findSigning(id: other.key.id)
            #expect(signing?.secret == (try await store.findSigning(id: other.key.id))?.secret)

            try await store.revoke(id: made.key.id)
            let rotated = try await store.rotate(id: other.key.id, overlap: 1000)
            try await silos.replicate()
            #expect(try await find(silos, "us", made.text)?.isActive == false)
            #expect(try await find(silos, "eu", rotated.text) == rotated.key)
            try await store.remove(id: made.key.id)
            try await silos.replicate()
            #expect(try await find(silos, "us", made.text) == nil)
        }
    }

    @Test("a call with a key is let in by the interceptor of a cell, also while control is down")
    func interceptor() async throws {
        try await TestSilos.run(.control) { silos in
            let id = try await silos.makeOrganization("american", in: "us").organizationID
            let made = try await APIKeyStore(silos.here.database).create(organizationID: id)
            try await silos.replicate()
            try await silos.network.stopping(.control) {
                let interceptor = APIKeyInterceptor(keys: APIKeyStore(try silos.cell("us").database))
                let principal = try await interceptor.principal(of: SiloTests.metadata("x-api-key", made.text))
                #expect(principal.organizationID == id)
                let stranger = APIKeyInterceptor(keys: APIKeyStore(try silos.cell("eu").database))
                await #expect(throws: RPCError.self) {
                    try await stranger.principal(of: SiloTests.metadata("x-api-key", made.text))
                }
            }
        }
    }

    @Test("an organization that moves takes its keys along")
    func movedKeys() async throws {
        try await TestSilos.run(.control) { silos in
            let id = try await silos.makeOrganization("mover", in: "us").organizationID
            let made = try await APIKeyStore(silos.here.database).create(organizationID: id)
            try await silos.replicate()
            try await silos.here.process.mapping?.move(organizationID: id, to: CellName("eu"))
            try await silos.replicate()
            #expect(try await find(silos, "us", made.text) == nil)
            #expect(try await find(silos, "eu", made.text)?.id == made.key.id)
        }
    }

    @Test("a cell is not told of another cell's keys")
    func foreignKeys() async throws {
        try await TestSilos.run(.cell) { silos in
            let feed = try APIKeyFeedServiceDelegate(silos.here.silo)
            _ = try await feed.listChanges(cellName: "us", epoch: "", after: 0, pageSize: 0)
            await #expect(throws: SiloError.forbidden("us is told of its own keys only, not of those of eu")) {
                try await feed.listChanges(cellName: "eu", epoch: "", after: 0, pageSize: 0)
            }
        }
    }

    @Test("integrations and installations, from everywhere", arguments: SiloTopology.allCases)
    func integrations(_ topology: SiloTopology) async throws {
        try await TestSilos.run(topology) { silos in
            let id = try await silos.makeOrganization("acme").organizationID
            let integrations = try silos.here.process.integrations()
            let installations = try silos.here.process.installations()
            let made = try await integrations.upsert(
                provider: "github", externalID: "42", name: "acme", config: #"{"token":"t0p"}"#)
            #expect(!"\(made)".contains("t0p"), "the configuration is redacted")
            let again = try await integrations.upsert(provider: "github", externalID: "42", name: "Acme", config: "{}")
            #expect(again.integrationID == made.integrationID && again.name == "Acme")
            #expect(try await integrations.get(integrationID: made.integrationID) == again)
            #expect(try await integrations.get(integrationID: 99) == nil)

            let one = try await installations.install(organizationID: id, integrationID: made.integrationID)
            #expect(try await installations.install(organizationID: id, integrationID: made.integrationID) == one)
            #expect(one.integration == again)
            #expect(try await installations.list(organizationID: id, provider: "") == [one])
            #expect(try await installations.list(organizationID: id, provider: "gitlab").isEmpty)
            let missing = await #expect(throws: SiloError.self) {
                try await installations.install(organizationID: 99, integrationID: made.integrationID)
            }
            #expect(missing?.isNotFound == true)
            try await installations.uninstall(organizationID: id + 1, installationID: one.installationID)
            #expect(try await installations.list(organizationID: id, provider: "").count == 1, "not another's")
            try await installations.uninstall(organizationID: id, installationID: one.installationID)
            #expect(try await installations.list(organizationID: id, provider: "").isEmpty)
            try await integrations.remove(integrationID: made.integrationID)
            let long = await #expect(throws: SiloError.self) {
                try await integrations.upsert(provider: "", externalID: "1", name: "", config: "")
            }
            #expect(long?.isInvalid == true)
            if topology == .cell {
                #expect(try await silos.here.database.read { try $0.rows("SELECT id FROM integrations") }.isEmpty)
            }
        }
    }
}
