import RPC
import SiloTestKit
import Storage
import Testing

@testable import SiloRPC

/// Silo.md 10.2: what a caller sees, wherever it stands.
@Suite(.timeLimit(.minutes(5))) struct DelegationTests {
    @Test("one body in every topology: what is put is got, in the right database", arguments: SiloTopology.allCases)
    func putAndGet(_ topology: SiloTopology) async throws {
        try await TestSilos.withNotes(topology) { silos in
            let one = try await silos.makeOrganization("one", in: "us")
            let notes = try silos.notes()
            let put = try await notes.put(note: Note(organizationID: one.organizationID, text: "a"), labels: ["-x"])
            #expect(put.text == "a-x")
            #expect(try await notes.get(organizationID: one.organizationID)?.text == "a-x")
            #expect(try await notes.get(organizationID: one.organizationID, text: "b") == nil)
            #expect(try await notes.list(slug: "one") == [put])
            #expect(try await silos.assuming(.cell(CellName("us"))) { try await silos.noteCount($0) } == 1)
            if topology != .monolith {
                #expect(try await silos.noteCount(try silos.cell("eu")) == 0)
                #expect(try await silos.noteCount(try silos.control()) == 0)
            }
        }
    }

    @Test("presence survives the way: not set is not zero", arguments: SiloTopology.allCases)
    func presence(_ topology: SiloTopology) async throws {
        try await TestSilos.withNotes(topology) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            let notes = try silos.notes()
            for stars in [nil, 0, 5] as [Int32?] {
                _ = try await notes.put(note: Note(organizationID: id, text: "a", stars: stars), labels: [])
                let got = try await notes.get(organizationID: id)
                #expect(got?.stars == stars)
            }
        }
    }

    @Test("control calls the cell that has the organization; cells and control-home services never cross")
    func rightCell() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let us = try await silos.makeOrganization("american", in: "us").organizationID
            let eu = try await silos.makeOrganization("european", in: "eu").organizationID
            let notes = try silos.notes()
            for id in [us, eu, eu] { _ = try await notes.put(note: Note(organizationID: id), labels: []) }
            #expect(try await silos.noteCount(try silos.cell("us")) == 1)
            #expect(try await silos.noteCount(try silos.cell("eu")) == 2)
            let puts = silos.network.sent.filter { $0.method.name == "Put" }
            #expect(puts.map(\.destination.description) == ["cell:us", "cell:eu", "cell:eu"])
            #expect(puts.map(\.organizationID) == [us, eu, eu])
            #expect(Set(puts.map(\.idempotencyKey)).count == 3)
            #expect(try await notes.count(cellName: "eu", regionName: "") == 2)
            #expect(try await notes.count(cellName: "eu", regionName: "us") == 1, "the old name wins")
            #expect(try await notes.count(cellName: "", regionName: "eu") == 2, "the old name alone")
            // By id and by slug; us is the fallback, so what is found in eu was resolved.
            silos.network.forgetSent()
            #expect(try await notes.get(organizationID: eu) != nil)
            #expect(try await notes.list(slug: "european").count == 2)
            #expect(try await notes.list(slug: "american").count == 1)
            #expect(silos.network.sent.map(\.destination.description) == ["cell:eu", "cell:eu", "cell:us"])
        }
    }

    @Test("an organization that no cell has: nil without traffic with the flag, an error without it")
    func unmapped() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let notes = try silos.notes()
            #expect(try await notes.get(organizationID: 99) == nil)
            await #expect(throws: SiloError.mappingNotFound("no cell has organization 99")) {
                try await notes.put(note: Note(organizationID: 99), labels: [])
            }
            await #expect(throws: SiloError.mappingNotFound("no cell has organization \"none\"")) {
                try await notes.list(slug: "none")
            }
            #expect(silos.network.sent.isEmpty)
        }
    }

    @Test("only a missing mapping becomes nil: a row that names an unknown cell is an error")
    func staleCell() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            try await silos.control().database.write {
                _ = try $0.execute("UPDATE organization_mappings SET cell_name = 'gone'")
            }
            let error = await #expect(throws: SiloError.self) { try await silos.notes().get(organizationID: id) }
            #expect(error == .cellResolution("there is no cell \"gone\"; there are eu, us"))
        }
    }

    @Test("a request that names nothing is refused, everywhere", arguments: SiloTopology.allCases)
    func missingArguments(_ topology: SiloTopology) async throws {
        try await TestSilos.withNotes(topology) { silos in
            let notes = try silos.notes()
            func code(_ call: () async throws -> Void) async -> String? {
                do { try await call() } catch SiloError.validation(let code, _) { return code } catch {
                    return "\(error)"
                }
                return nil
            }
            #expect(await code { _ = try await notes.get(organizationID: 0) } == "MISSING_ARGUMENT")
            #expect(await code { _ = try await notes.list(slug: "") } == "MISSING_ARGUMENT")
            #expect(await code { _ = try await notes.count(cellName: "", regionName: "") } == "MISSING_ARGUMENT")
            #expect(await code { _ = try await notes.put(note: Note(), labels: []) } == "MISSING_ARGUMENT")
        }
    }

    @Test("a cell does not touch another cell's organization, and sends nothing either")
    func ownCellOnly() async throws {
        try await TestSilos.withNotes(.cell) { silos in
            let id = try await silos.makeOrganization("european", in: "eu").organizationID
            silos.network.forgetSent()
            let (us, eu) = (try CellName("us"), try CellName("eu"))
            await #expect(throws: SiloError.wrongCell(expected: us, actual: eu)) {
                try await silos.notes().put(note: Note(organizationID: id), labels: [])
            }
            #expect(silos.network.sent.isEmpty)
            #expect(try await silos.noteCount(silos.here) == 0)
        }
    }

    @Test("a caller whose directory is stale is told so, looks again, and calls the right cell, once")
    func healing() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("mover", in: "us").organizationID
            let notes = try silos.notes()
            _ = try await notes.put(note: Note(organizationID: id, text: "before"), labels: [])
            // Control's memory still says us when the organization has moved.
            try await silos.control().process.mapping?.move(organizationID: id, to: CellName("eu"))
            try await silos.replicate()
            silos.network.forgetSent()
            _ = try await notes.put(note: Note(organizationID: id, text: "after"), labels: [])
            // us asks control before it says no.
            let puts = silos.network.sent.filter { $0.destination != .control }
            #expect(puts.map(\.destination.description) == ["cell:us", "cell:eu"])
            #expect(Set(puts.map(\.idempotencyKey)).count == 1)
            #expect(try await silos.noteCount(try silos.cell("us")) == 1)
            #expect(try await silos.noteCount(try silos.cell("eu")) == 1)
        }
    }

    @Test("a call that reaches the wrong silo is refused, never forwarded")
    func wrongSilo() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let eu = try silos.cell("eu")
            let id = try await silos.makeOrganization("american", in: "us").organizationID
            silos.network.forgetSent()
            func arrive(_ dispatch: any SiloServiceDispatch, _ path: String, _ body: [UInt8]) async throws {
                let handler = try #require(try SiloServices([dispatch]).handler(path: path))
                _ = try await handler.answer(SiloInboundCall(method: handler.method, source: .control), body)
            }
            let (us, other) = (try CellName("us"), try CellName("eu"))
            await #expect(throws: SiloError.wrongCell(expected: other, actual: us)) {
                try await arrive(
                    NotesServiceDispatch(NotesStore(database: eu.database), silo: eu.silo), NotesServiceMethod.get.path,
                    GetNoteRequest(organizationID: id).serializedBytes())
            }
            let control = try silos.control()
            await #expect(throws: SiloError.wrongSilo(method: "notes.Get", asked: .control)) {
                try await arrive(
                    NotesServiceDispatch(NotesStore(database: control.database), silo: control.silo),
                    NotesServiceMethod.get.path, GetNoteRequest(organizationID: id).serializedBytes())
            }
            #expect(silos.network.sent.allSatisfy { $0.method.name == "ListChanges" }, "asked, never forwarded")
        }
    }

    @Test("an organization that has just come to a cell is served there, though its replica is of before")
    func justMoved() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("mover", in: "us").organizationID
            try await silos.control().process.mapping?.move(organizationID: id, to: CellName("eu"))
            let eu = try silos.cell("eu")
            let handler = try #require(
                NotesServiceDispatch(NotesStore(database: eu.database), silo: eu.silo).handlers
                    .first { $0.method == NotesServiceMethod.put })
            let request = PutNoteRequest(note: Note(organizationID: id)).serializedBytes()
            _ = try await handler.answer(SiloInboundCall(method: handler.method, source: .control), request)
            #expect(try await silos.noteCount(eu) == 1)
        }
    }

    @Test("the operator's timeout counts where the call is served too, and cancels the service")
    func servedTimeout() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let us = try silos.cell("us")
            let id = try await silos.makeOrganization("american", in: "us").organizationID
            let handler = try #require(
                NotesServiceDispatch(NotesStore(database: us.database), silo: us.silo).handlers
                    .first { $0.method == NotesServiceMethod.put })
            func put(_ text: String) async throws {
                let request = PutNoteRequest(note: Note(organizationID: id, text: text)).serializedBytes()
                _ = try await handler.answer(SiloInboundCall(method: handler.method, source: .control), request)
            }
            silos.network.switches.set("notes.Put", try .init(timeout: .milliseconds(1)))
            let error = await #expect(throws: RPCError.self) { try await put("slow") }
            #expect(error?.code == .deadlineExceeded)
            #expect(error?.message == "notes.Put took longer than its timeout here, 0.001 seconds")
            #expect(try await silos.noteCount(us) == 0)
            silos.network.switches.set("notes.Put", try .init(timeout: .seconds(600)))
            try await put("quick")
            #expect(try await silos.noteCount(us) == 1)
        }
    }

    @Test("a cell refuses an organization that nobody knows")
    func unknownAtCell() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let us = try silos.cell("us")
            let name = try CellName("us")
            let handler = try #require(
                NotesServiceDispatch(NotesStore(database: us.database), silo: us.silo).handlers.first)
            await #expect(throws: SiloError.wrongCell(expected: name, actual: nil)) {
                _ = try await handler.answer(
                    SiloInboundCall(method: handler.method), GetNoteRequest(organizationID: 5).serializedBytes())
            }
        }
    }

    @Test("an organization that is younger than the cell's replica is found by asking control")
    func youngOrganization() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let mapping = try await silos.control().process.mapping?.create(slug: "new", cellName: "us")
            let id = try #require(mapping).organizationID
            #expect(try await silos.notes().put(note: Note(organizationID: id), labels: []).organizationID == id)
            #expect(try await OrganizationStore(try silos.cell("us").database).find(id: id)?.slug == "new")
        }
    }

    @Test("a single organization: on with one cell, off, and with two cells")
    func singleOrganization() async throws {
        try await TestSilos.withNotes(.control, singleOrganization: true) { silos in
            try await silos.notes().clear()
            #expect(silos.network.sent.last?.destination.description == "cell:us", "the fallback when there is none")
            let id = try await silos.makeOrganization("one", in: "eu").organizationID
            _ = try await silos.notes().put(note: Note(organizationID: id), labels: [])
            try await silos.notes().clear()
            #expect(try await silos.noteCount(try silos.cell("eu")) == 0)
            _ = try await silos.makeOrganization("two", in: "us")
            let two = await #expect(throws: SiloError.self) { try await silos.notes().clear() }
            #expect(two == .cellResolution("there are organizations in eu and us; one was expected"))
        }
        try await TestSilos.withNotes(.control) { silos in
            let off = await #expect(throws: SiloError.self) { try await silos.notes().clear() }
            #expect(off == .cellResolution("the call needs the setting of a single organization, which is off"))
        }
    }

    @Test("a validation error reaches the caller, anything else is a remote error without internal text")
    func errors() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            await #expect(throws: SiloError.validation(code: "BAD_NOTE", message: "such a note is not kept")) {
                try await silos.notes().put(note: Note(organizationID: id, text: "bad"), labels: [])
            }
            let error = await #expect(throws: (any Error).self) {
                try await silos.notes().put(note: Note(organizationID: id, text: "broken"), labels: [])
            }
            #expect(!"\(try #require(error))".contains("secret-internal-text"))
        }
    }

    @Test("a disabled method is refused everywhere and nothing is sent", arguments: SiloTopology.allCases)
    func disabled(_ topology: SiloTopology) async throws {
        try await TestSilos.withNotes(topology) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            silos.network.forgetSent()
            await silos.network.disabling(NotesServiceMethod.get) {
                let error = await #expect(throws: SiloError.self) { try await silos.notes().get(organizationID: id) }
                guard case .disabled("notes.Get", _)? = error else {
                    Issue.record("\(String(describing: error))")
                    return
                }
            }
            #expect(silos.network.sent.isEmpty)
            #expect(try await silos.notes().get(organizationID: id) == nil)
            let burnt = await #expect(throws: SiloError.self) { try await silos.notes().burn(organizationID: id) }
            guard case .disabled("notes.Burn", _)? = burnt else {
                Issue.record("\(String(describing: burnt))")
                return
            }
        }
    }

    @Test("without round trip a monolith's call goes straight to the service")
    func direct() async throws {
        try await SiloTests.withDatabase { database in
            let directory = try CellDirectory(SiloConfiguration())
            let process = try SiloProcess(mode: .monolith, directory: directory, database: database)
            let made = try await process.organizationMapping().create(slug: "one", cellName: "")
            #expect(made.cellName == CellDirectory.defaultFallbackCell)
            #expect(try await process.organizationMapping().get(organizationID: made.organizationID) == made)
            #expect(try await process.organizationMapping().getBySlug(slug: "two") == nil)
        }
    }

    @Test("a delegate without its service at home, a cell without name, a silo without transport do not start")
    func setUp() async throws {
        let directory = try CellDirectory(SiloConfiguration())
        let monolith = try Silo(mode: .monolith, directory: directory)
        #expect(throws: SiloError.self) { try NotesServiceDelegate(monolith) }
        #expect(throws: SiloError.self) { try Silo(mode: .cell, directory: directory) }
        #expect(throws: SiloError.self) { try Silo(mode: .control, directory: directory) }
        let notes = { NotesServiceDispatch(NotesStore(database: $0), silo: monolith) }
        try await SiloTests.withDatabase { database in
            let error = #expect(throws: SiloError.self) {
                try SiloServices([notes(database), OtherNotes(notes(database))])
            }
            #expect(error?.description.contains("both have the key \"notes\"") == true)
        }
    }

    /// Another service with the same key.
    private struct OtherNotes: SiloServiceDispatch {
        let siloMethods: [SiloMethod]
        var handlers: [SiloHandler] { [] }

        init(_ notes: NotesServiceDispatch) {
            siloMethods = [
                SiloMethod(
                    MethodDescriptor(service: "other.Notes", method: "Get", kind: .unary), serviceKey: "notes",
                    home: .cell)
            ]
        }
    }
}
