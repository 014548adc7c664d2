import SiloTestKit
import Storage
import Testing

@testable import SiloRPC

/// A configuration that changes while the process runs.
@Suite(.timeLimit(.minutes(5))) struct LiveDirectoryTests {
    private func directory(_ cells: [(String, String)], control: String? = "http://control") throws -> CellDirectory {
        try CellDirectory(
            cells: cells.enumerated().map { number, cell in
                Cell(name: try CellName(cell.0), snowflakeID: number, address: cell.1)
            }, fallbackCell: try CellName("us"), controlAddress: control)
    }

    @Test("what changes is named: cells, addresses, the rest")
    func changes() throws {
        let live = LiveDirectory(try directory([("us", "http://a"), ("eu", "http://b")]))
        let (us, eu, ap) = (try CellName("us"), try CellName("eu"), try CellName("ap"))
        #expect(try live.change(to: live.current, at: .control).isEmpty)
        let next = try directory([("us", "http://c"), ("ap", "http://d")], control: "http://new")
        var expected = LiveDirectory.Change()
        (expected.added, expected.removed, expected.readdressed) = ([ap], [eu], [.control, .cell(us)])
        #expect(try live.change(to: next, at: .control) == expected)
        #expect(try live.change(to: next, at: .cell(us)) == expected)
        #expect(live.current.address(of: .cell(eu)) == "http://b", "looking changes nothing")
        live.replace(next)
        #expect(live.current == next)
        let url = try CellDirectory(
            cells: next.cells, fallbackCell: us, controlAddress: "http://new", publicURL: "https://x")
        #expect(try live.change(to: url, at: .control).isOtherwiseChanged)
        let single = try CellDirectory(
            cells: next.cells, fallbackCell: us, controlAddress: "http://new", isSingleOrganization: true)
        #expect(try live.change(to: single, at: .control).isOtherwiseChanged)
    }

    @Test("a process does not lose its own place")
    func ownPlace() throws {
        let live = LiveDirectory(try directory([("us", "http://a"), ("eu", "http://b")]))
        let (us, eu) = (SiloAddress.cell(try CellName("us")), SiloAddress.cell(try CellName("eu")))
        let smaller = try directory([("us", "http://a")])
        #expect(throws: SiloError.configuration("cells: eu is this process, and is not there any more")) {
            try live.change(to: smaller, at: eu)
        }
        #expect(throws: SiloError.configuration("controlAddress: it is gone")) {
            try live.change(to: try directory([("us", "http://a")], control: nil), at: us)
        }
    }

    @Test("a silo and the table of organizations see new cells at once; a cell with organizations does not go")
    func tables() async throws {
        try await SiloTests.withDatabase { database in
            let live = LiveDirectory(try directory([("us", "http://a")]))
            let mapping = OrganizationMappingStore(database, directory: live)
            await #expect(throws: SiloError.self) { try await mapping.create(slug: "far", cellName: "eu") }
            live.replace(try directory([("us", "http://a"), ("eu", "http://b")]))
            let made = try await mapping.create(slug: "far", cellName: "eu")
            #expect(try await mapping.countsByCell() == ["eu": 1])
            await #expect(throws: SiloError.self) { try await mapping.checkUnused([try CellName("eu")]) }
            try await mapping.delete(organizationID: made.organizationID)
            try await mapping.checkUnused([try CellName("eu")])
            #expect(try await OrganizationStore(database).list().isEmpty)
            await #expect(throws: SiloError.self) { try await mapping.delete(organizationID: made.organizationID) }
        }
    }

    @Test("an organization with keys is not removed")
    func owner() async throws {
        try await SiloTests.withDatabase { database in
            let mapping = OrganizationMappingStore(database, directory: try directory([("us", "http://a")]))
            let made = try await mapping.create(slug: "acme", cellName: "")
            _ = try await APIKeyStore(database).create(organizationID: made.organizationID)
            let error = await #expect(throws: SiloError.self) {
                try await mapping.delete(organizationID: made.organizationID)
            }
            #expect(error?.isInvalid == true)
            #expect(try await mapping.get(organizationID: made.organizationID) != nil, "all or nothing")
        }
    }

    @Test("calls go to a silo's new address, those of before end at the old one")
    func transport() async throws {
        let keys = try SignatureFixture.keys()
        @Sendable func answers(_ number: UInt8, _ body: @Sendable (TestSilo) async throws -> Void) async throws {
            try await TestSilo.run(CallFixture.us1, keys: keys, handler: { _, _ in [8, number] }, body)
        }
        try await answers(1) { old in
            try await answers(2) { new in
                let live = LiveDirectory(try old.directory())
                let transport = SignedTransport(
                    keyring: try SiloKeyring(address: .control, keys: keys), directory: live)
                #expect(try await transport.send(CallFixture.call()) == [8, 1])
                #expect(try await transport.send(CallFixture.call()) == [8, 1])
                live.replace(try new.directory())
                #expect(try await transport.send(CallFixture.call()) == [8, 2])
                await transport.close()
            }
        }
    }

    @Test("singleOrganization counts from the next call on")
    func singleOrganization() async throws {
        try await SiloTests.withDatabase { database in
            let us = try CellName("us")
            let live = LiveDirectory(try directory([("us", "http://a")]))
            let caller = SiloCaller(transport: ScriptedTransport(ScriptedTransport.fail(.unavailable)))
            let silo = try SiloProcess(mode: .control, directory: live, database: database, caller: caller).silo
            await #expect(throws: SiloError.self) { try await silo.resolve(.singleOrganization) }
            live.replace(
                try CellDirectory(
                    cells: live.current.cells, fallbackCell: us, controlAddress: "http://control",
                    isSingleOrganization: true))
            #expect(try await silo.resolve(.singleOrganization) == .cell(us))
        }
    }

    @Test("identities and rpc0 count from the next call on")
    func trust() throws {
        let verifier = try SignatureFixture.verifier()
        let head = try SignatureFixture.signed()
        var configuration = SiloVerifier.Configuration()
        configuration.identities = [.control: "control.silo.example"]
        verifier.replaceTrust(configuration)
        #expect(SignatureFixture.refusal(verifier, head) == .identity)
        let body = SignatureFixture.body
        let rpc0 = try RPC0Verifier(secrets: [SignatureFixture.secret("x")])
        let token = rpc0.sign(path: "/silo.Things/Get", body: Array(body.readableBytesView))
        let old = SignatureFixture.replacing(
            "authorization", "Rpcsignature \(token)", in: SignatureFixture.head([]))
        #expect(SignatureFixture.refusal(verifier, old) == .malformed)
        configuration = SiloVerifier.Configuration()
        configuration.rpc0 = rpc0
        verifier.replaceTrust(configuration)
        #expect(SignatureFixture.refusal(verifier, old) == nil)
        #expect(SignatureFixture.refusal(verifier, head) == nil, "the name is not asked for any more")
        let waiting = try verifier.checkHead(old, identity: nil)
        verifier.replaceTrust(SiloVerifier.Configuration())
        #expect(SignatureFixture.refusal(verifier, old) == .malformed)
        #expect(throws: SignatureRefusal.self) {
            try body.withUnsafeReadableBytes { try verifier.checkBody($0, of: waiting) }
        }
    }
}
