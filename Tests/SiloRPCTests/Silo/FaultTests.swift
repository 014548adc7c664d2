import NIOCore
import RPC
import SiloTestKit
import Storage
import Testing

@testable import SiloRPC

/// What the test kit itself promises.
@Suite(.timeLimit(.minutes(5))) struct FaultTests {
    private func withOne(_ body: (TestSilos, NotesServiceDelegate, Note) async throws -> Void) async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            silos.network.forgetSent()
            try await body(silos, silos.notes(), Note(organizationID: id, text: "a"))
        }
    }

    @Test("a dropped call never arrives; a dropped answer was served")
    func drops() async throws {
        try await withOne { silos, notes, note in
            // Not repeated: nobody knows whether a call of this class has run.
            let once = SiloCall(
                method: NotesServiceMethod.clear, destination: .cell(try CellName("us")), body: [],
                deadline: .now() + .seconds(30))
            _ = try await notes.put(note: note, labels: [])
            silos.network.inject(.dropRequest)
            await #expect(throws: RPCError.self) { try await silos.network.transport(from: .control).send(once) }
            #expect(try await silos.noteCount(try silos.cell("us")) == 1)
        }
    }

    @Test("a duplicate is served twice, a late call once")
    func duplicates() async throws {
        try await withOne { silos, notes, note in
            silos.network.inject(.delay(.milliseconds(1)))
            _ = try await notes.put(note: note, labels: [])
            #expect(try await silos.noteCount(try silos.cell("us")) == 1)
            #expect(silos.network.remainingFaultCount == 0)
            silos.network.inject(.duplicate)
            _ = try await notes.put(note: note, labels: [])
            #expect(silos.network.remainingFaultCount == 0)
            #expect(try await silos.noteCount(try silos.cell("us")) == 2, "its answer is stored: it runs once")
        }
    }

    @Test("a lost answer, and a burst of 503, are repeated with the same key: the work is done once")
    func repeated() async throws {
        try await withOne { silos, notes, note in
            silos.network.inject(.dropAnswer, .unavailable)
            _ = try await notes.put(note: note, labels: [])
            #expect(silos.network.sent.count == 3)
            #expect(Set(silos.network.sent.map(\.idempotencyKey)).count == 1)
            #expect(try await silos.noteCount(try silos.cell("us")) == 1)
        }
    }

    @Test("who acts is known where the call is served, and not made up", arguments: SiloTopology.allCases)
    func viewer(_ topology: SiloTopology) async throws {
        try await TestSilos.withNotes(topology) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            let viewer = SiloViewer(kind: .user, organizationID: id, userID: 7)
            let note = Note(organizationID: id, text: "who")
            let seen = try await SiloScope.with({ $0.viewer = viewer }) {
                try await silos.notes().put(note: note, labels: [])
            }
            #expect(seen.text == "who user;organization=\(id);user=7")
            #expect(try await silos.notes().put(note: note, labels: []).text == "who unknown")
        }
    }

    @Test("a viewer's text: there and back; parts that are not known are refused")
    func viewerText() throws {
        for viewer in [
            SiloViewer(), SiloViewer(kind: .serviceAccount), SiloViewer(kind: .user, organizationID: 3, userID: 7)
        ] {
            #expect(try SiloViewer(text: viewer.text) == viewer)
        }
        #expect(try SiloViewer(text: "robot;user=7") == SiloViewer(userID: 7))
        for bad in ["user;user=x", "user;user", "user;colour=1", "user;user=0", "user;"] {
            #expect(throws: SiloError.self) { try SiloViewer(text: bad) }
        }
    }

    @Test("a truncated answer is an error that names the method and the size, not the content")
    func truncated() async throws {
        try await withOne { silos, notes, note in
            _ = try await notes.put(note: note, labels: [])
            silos.network.inject(.truncate)
            let error = await #expect(throws: SiloError.self) {
                try await notes.get(organizationID: note.organizationID)
            }
            guard case .remote("notes.Get", let message, _)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(message.contains("malformed answer of 6 bytes"))
        }
    }

    @Test("a stopped silo cannot be reached; a cell answers while control is stopped")
    func stopped() async throws {
        try await TestSilos.withNotes(.cell) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            try await silos.network.stopping(.control) {
                _ = try await silos.notes().put(note: Note(organizationID: id), labels: [])
                await #expect(throws: (any Error).self) {
                    try await silos.here.process.organizationMapping().get(organizationID: id)
                }
            }
            #expect(try await silos.here.process.organizationMapping().get(organizationID: id)?.slug == "one")
        }
    }

    @Test("a remote call inside an open transaction is refused and nothing is sent")
    func transaction() async throws {
        try await withOne { silos, notes, note in
            let task = try await silos.here.database.write { _ in
                // Started inside the transaction: without the guard it would wait for another silo meanwhile.
                Task { try await notes.put(note: note, labels: []) }
            }
            let error = await #expect(throws: SiloError.self) { _ = try await task.value }
            guard case .forbidden(let text)? = error else {
                Issue.record("\(String(describing: error))")
                return
            }
            #expect(text.contains("notes.Put was called inside an open transaction"))
            #expect(silos.network.sent.isEmpty)
        }
    }

    @Test("cells do not call cells")
    func cellToCell() async throws {
        try await withOne { silos, _, note in
            let us = try CellName("us")
            let call = SiloCall(
                method: NotesServiceMethod.get, destination: .cell(us), body: [], deadline: .now() + .seconds(30))
            let error = await #expect(throws: SiloError.self) {
                _ = try await silos.network.transport(from: .cell(CellName("eu"))).send(call)
            }
            #expect(error == .forbidden("cells do not call each other: notes.Get for cell:us"))
        }
    }
}
