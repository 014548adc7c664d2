import FrameCodec
import SiloRPC
import SiloTestKit
import Storage

/// A cell's service: notes in its database.
struct NotesStore: NotesService {
    static let migrations = [
        Migration("notes-1", sql: "CREATE TABLE notes (organization_id INTEGER NOT NULL, message BLOB NOT NULL)")
    ]

    let database: Database

    func get(organizationID: Int64, text: String?) async throws -> Note? {
        try await notes(organizationID).last { text == nil || $0.text == text }
    }

    func put(note: Note, labels: [String]) async throws -> Note {
        if note.text == "bad" { throw SiloError.validation(code: "BAD_NOTE", message: "such a note is not kept") }
        if note.text == "broken" { throw Broken() }
        if note.text == "slow" { try await Task.sleep(for: .seconds(30)) }
        var note = note
        note.text += labels.joined()
        if note.text == "who" { note.text += " " + SiloScope.current.viewer.text }
        let stored = note
        try await database.write { transaction in
            _ = try transaction.execute(
                "INSERT INTO notes (organization_id, message) VALUES (?, ?)",
                [.integer(stored.organizationID), .blob(stored.serializedBytes())])
        }
        return stored
    }

    func list(slug: String) async throws -> [Note] {
        let row = try await database.read { try $0.row("SELECT id FROM organizations WHERE slug = ?", [.text(slug)]) }
        return try await notes(try row?.integer("id") ?? 0)
    }

    func count(cellName: String, regionName: String) async throws -> Int64 {
        try await database.read { try $0.row("SELECT count(*) AS n FROM notes")?.integer("n") ?? 0 }
    }

    func clear() async throws {
        try await database.write { _ = try $0.execute("DELETE FROM notes") }
    }

    func burn(organizationID: Int64) async throws {}

    private func notes(_ organizationID: Int64) async throws -> [Note] {
        try await database.read { transaction in
            try transaction.rows(
                "SELECT message FROM notes WHERE organization_id = ? ORDER BY rowid", [.integer(organizationID)]
            ).map { try Note(serializedBytes: $0.blob("message")) }
        }
    }

    /// What a service throws that is nobody else's business.
    struct Broken: Error, CustomStringConvertible { var description: String { "secret-internal-text" } }
}

extension TestSilos {
    /// Control and cells with notes in the cells.
    static func withNotes(
        _ topology: SiloTopology, singleOrganization: Bool = false, _ body: (TestSilos) async throws -> Void
    ) async throws {
        try await run(
            topology, migrations: NotesStore.migrations, singleOrganization: singleOrganization,
            services: { node in
                node.silo.mode == .control
                    ? [] : [NotesServiceDispatch(NotesStore(database: node.database), silo: node.silo)]
            }, body)
    }

    /// Notes as the silo sees them that the test stands in.
    func notes() throws -> NotesServiceDelegate { try notes(here) }

    func notes(_ node: SiloNode) throws -> NotesServiceDelegate {
        try NotesServiceDelegate(
            node.silo, local: node.silo.mode == .control ? nil : NotesStore(database: node.database))
    }

    /// How many notes a silo's own database has.
    func noteCount(_ node: SiloNode) async throws -> Int64 {
        try await NotesStore(database: node.database).count(cellName: "", regionName: "")
    }
}
