import SiloTestKit
import Storage
import Testing

@testable import SiloRPC

/// Organization mapping: control's table, and its replicas.
@Suite(.timeLimit(.minutes(5))) struct ReplicaTests {
    @Test("the mapping service answers alike in every topology", arguments: SiloTopology.allCases)
    func everywhere(_ topology: SiloTopology) async throws {
        try await TestSilos.run(topology) { silos in
            let mapping = try silos.here.process.organizationMapping()
            let made = try await mapping.create(slug: "acme", cellName: "eu")
            #expect(made.cellName == "eu" && made.organizationID > 0 && !made.deleted)
            #expect(try await mapping.get(organizationID: made.organizationID) == made)
            #expect(try await mapping.getBySlug(slug: "acme") == made)
            #expect(try await mapping.get(organizationID: 99) == nil)
            let taken = await #expect(throws: SiloError.self) { try await mapping.create(slug: "acme", cellName: "us") }
            #expect(taken?.isExisting == true)
            let slug = await #expect(throws: SiloError.self) { try await mapping.create(slug: "A", cellName: "us") }
            #expect(slug?.isInvalid == true)
            await #expect(throws: SiloError.cellResolution("there is no cell \"mars\"; there are eu, us")) {
                try await mapping.create(slug: "b", cellName: "mars")
            }
            let changes = try await mapping.listChanges(epoch: "", after: 0, pageSize: 0)
            #expect(changes.mappings == [made] && !changes.hasMore)
        }
    }

    @Test("a snapshot in pages, then only what has changed; removal and move arrive")
    func pulls() async throws {
        try await TestSilos.run(.cell) { silos in
            let store = try #require(try silos.control().process.mapping)
            let us = silos.here
            var limits = ReplicaDemand.Limits()
            limits.patience = .seconds(60)
            let replica = OrganizationReplica(
                us.database, directory: us.silo.directory, cell: try us.silo.localCell(),
                caller: try #require(us.silo.caller), pageSize: 3, limits: limits)
            var ids: [Int64] = []
            for index in 0..<7 {
                ids.append(
                    try await store.create(slug: "o-\(index)", cellName: index == 6 ? "eu" : "us").organizationID)
            }
            #expect(try await replica.pull() == 7)
            #expect(silos.network.sent.count == 3)
            #expect(try await replica.pull() == 0)
            #expect(try await replica.cell(of: .id(ids[6])) == "eu")
            #expect(try await replica.cell(of: .slug("o-1")) == "us")
            #expect(try await replica.someCells() == ["eu", "us"])
            #expect(try await OrganizationStore(us.database).list().map(\.id) == Array(ids.prefix(6)), "only its own")
            try await store.remove(organizationID: ids[0])
            try await store.move(organizationID: ids[1], to: CellName("eu"))
            #expect(try await replica.pull() == 2)
            #expect(try await replica.cell(of: .id(ids[0])) == nil)
            #expect(try await replica.cell(of: .slug("o-1")) == "eu")
            // The slug is free again, also in the replica.
            let again = try await store.create(slug: "o-9", cellName: "us")
            #expect(try await replica.cell(of: .id(again.organizationID)) == nil)
            #expect(
                try await replica.refreshedCell(of: .id(again.organizationID)) == "us", "however short ago it pulled")
            #expect(try await replica.pull() == 0)
        }
    }

    @Test("control's table made anew: the replica begins again and forgets what was")
    func epochs() async throws {
        try await TestSilos.run(.cell) { silos in
            let store = try #require(try silos.control().process.mapping)
            let replica = try #require(silos.here.process.replica)
            let old = try await store.create(slug: "old", cellName: "us")
            try await replica.pull()
            try await silos.control().database.write { transaction in
                _ = try transaction.execute("DELETE FROM organization_mappings")
                _ = try transaction.execute("DELETE FROM silo_histories")
            }
            let new = try await store.create(slug: "new", cellName: "us")
            try await replica.pull()
            #expect(try await replica.cell(of: .id(old.organizationID)) == nil)
            #expect(try await replica.cell(of: .id(new.organizationID)) == "us")
        }
    }

    @Test("a removed organization's slug is another one's: cells learn of it, and of all that comes after")
    func slugAgain() async throws {
        try await TestSilos.run(.control) { silos in
            let store = try #require(silos.here.process.mapping)
            let old = try await silos.makeOrganization("acme").organizationID
            try await store.delete(organizationID: old)
            let new = try await silos.makeOrganization("acme").organizationID
            let next = try await silos.makeOrganization("next").organizationID
            let us = try silos.cell("us")
            #expect(try await us.process.replica?.cell(of: .slug("acme")) == "us")
            #expect(try await us.process.replica?.cell(of: .id(old)) == nil)
            let names = try await OrganizationStore(us.database).list().map { "\($0.id) \($0.slug)" }
            #expect(names == ["\(old) acme~\(old)", "\(new) acme", "\(next) next"])
        }
    }

    /// What a backup of control's database has, and how it is brought back.
    private struct Backup {
        static let tables = ["organizations", "organization_mappings", "api_keys", "api_key_changes", "silo_histories"]

        let database: Database

        init(_ database: Database) async throws {
            self.database = database
            try await run { "CREATE TABLE backup_\($0) AS SELECT * FROM \($0)" }
        }

        func bringBack() async throws {
            try await run(Self.tables.reversed()) { "DELETE FROM \($0)" }
            try await run { "INSERT INTO \($0) SELECT * FROM backup_\($0)" }
            try await database.write { transaction in
                _ = try transaction.execute(
                    "UPDATE sqlite_sequence SET seq = (SELECT COALESCE(MAX(id), 0) FROM organizations) "
                        + "WHERE name = 'organizations'")
            }
        }

        private func run(
            _ tables: [String] = tables, _ statement: @escaping @Sendable (String) -> String
        ) async throws {
            try await database.write { transaction in
                for table in tables { _ = try transaction.execute(statement(table)) }
            }
        }
    }

    @Test("a start of control that has lost nothing: replicas go on, nothing comes twice")
    func restart() async throws {
        try await TestSilos.run(.cell) { silos in
            let control = try silos.control().process
            let replica = try #require(silos.here.process.replica)
            _ = try await silos.makeOrganization("one")
            try await control.prepare()
            #expect(try await replica.pull() == 0)
            try await control.prepare()
            try await control.prepare()
            let two = try #require(try await control.mapping?.create(slug: "two", cellName: "us"))
            #expect(try await replica.pull() == 1, "the new one only")
            #expect(try await replica.cell(of: .id(two.organizationID)) == "us")
        }
    }

    @Test("control brought back from a backup: cells see it, however many changes it has made since", arguments: [0, 5])
    func backup(changesSince: Int) async throws {
        try await TestSilos.run(.control) { silos in
            let control = silos.here
            let store = try #require(control.process.mapping)
            let us = try silos.cell("us").process
            let kept = try await silos.makeOrganization("kept").organizationID
            let key = try await APIKeyStore(control.database).create(organizationID: kept)
            let backup = try await Backup(control.database)
            try await store.move(organizationID: kept, to: CellName("eu"))
            let lost = try await silos.makeOrganization("lost").organizationID
            #expect(try await us.replica?.cell(of: .id(kept)) == "eu")
            #expect(try await APIKeyStore(us.database).find(text: key.text) == nil)
            try await backup.bringBack()
            try await control.process.prepare()
            for number in 0..<changesSince { _ = try await store.create(slug: "new-\(number)", cellName: "eu") }
            try await silos.replicate()
            #expect(try await us.replica?.cell(of: .id(kept)) == "us")
            #expect(try await us.replica?.cell(of: .slug("lost")) == nil)
            #expect(try await us.replica?.cell(of: .id(lost)) == (changesSince == 0 ? nil : "eu"))
            #expect(try await APIKeyStore(us.database).find(text: key.text)?.id == key.key.id)
            #expect(try await us.replica?.pull() == 0)
        }
    }

    @Test("an id that control gives again is not served by the cell that has another organization's rows under it")
    func idAgain() async throws {
        try await TestSilos.run(.control) { silos in
            let control = silos.here
            let us = try silos.cell("us").process
            let backup = try await Backup(control.database)
            let old = try await silos.makeOrganization("old")
            try await us.replica?.checkOwners()
            try await backup.bringBack()
            try await control.process.prepare()
            // Organizations that are made in one millisecond cannot be told apart.
            while EpochTime.now <= old.createdAt { await Task.yield() }
            let new = try await silos.makeOrganization("new")
            #expect(new.organizationID == old.organizationID)
            #expect(try await us.replica?.cell(of: .id(new.organizationID)) == nil)
            #expect(try await OrganizationStore(us.database).list().map(\.slug) == ["old"])
            let error = await #expect(throws: SiloError.self) { try await us.replica?.checkOwners() }
            #expect(error?.description.contains("other organizations' here: new of control cannot be served") == true)
        }
    }

    @Test("the replica is durable: a cell that starts while control is down knows its organizations")
    func durable() async throws {
        try await TestSilos.run(.cell) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            try await silos.network.stopping(.control) {
                let us = silos.here
                let restarted = try SiloProcess(
                    mode: .cell, cell: us.silo.cell, directory: us.silo.directory, database: us.database,
                    caller: us.silo.caller)
                #expect(try await restarted.silo.resolve(.organizationID(id)) == us.address)
                await #expect(throws: SiloError.mappingNotFound("no cell has organization 99")) {
                    try await restarted.silo.resolve(.organizationID(99), refresh: true)
                }
                await #expect(throws: (any Error).self) { try await restarted.replica?.pull() }
            }
        }
    }

    @Test("many who ask at once are one question; a negative answer is remembered too")
    func singleFlight() async throws {
        let source = CountingCells()
        let cache = OrganizationCellCache(source)
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<50 { group.addTask { _ = try? await cache.cell(of: .id(1)) } }
            // All fifty have asked, or will find the answer that the first one brings.
            await source.open()
        }
        #expect(await source.count == 1)
        #expect(try await cache.cell(of: .id(2)) == nil)
        #expect(try await cache.cell(of: .id(2)) == nil)
        #expect(await source.count == 2)
        #expect(try await cache.refreshedCell(of: .id(1)) == "us-again")
        #expect(try await cache.cell(of: .id(1)) == "us-again")
        cache.forget([.id(1)])
        #expect(try await cache.cell(of: .id(1)) == "us")
        #expect(await source.count == 3)
    }

    @Test("an answer that was on its way when the row changed is not remembered")
    func overtaken() async throws {
        let source = CountingCells()
        let cache = OrganizationCellCache(source)
        let early = Task { try await cache.cell(of: .id(1)) }
        await source.hasBeenAsked()
        cache.forget([.id(1)])
        await source.open()
        #expect(try await early.value == "us")
        #expect(try await cache.cell(of: .id(1)) == "us")
        #expect(await source.count == 2, "asked again")
        #expect(try await cache.cell(of: .id(1)) == "us")
        #expect(await source.count == 2)
    }

    @Test("organizations of before there were cells are the fallback cell's")
    func adoption() async throws {
        try await SiloTests.withDatabase { database in
            let old = try await OrganizationStore(database).create(slug: "old")
            let directory = try CellDirectory(try SiloConfiguration(json: DirectoryTests.twoCells))
            let store = OrganizationMappingStore(database, directory: directory)
            #expect(try await store.adoptOrganizations() == 1)
            #expect(try await store.adoptOrganizations() == 0)
            #expect(try await store.get(organizationID: old.id)?.cellName == "us")
        }
    }
}

/// Knows one organization; answers when it is opened.
private actor CountingCells: OrganizationCells {
    private(set) var count = 0
    private var waiting: [CheckedContinuation<Void, Never>] = []
    private var asked: [CheckedContinuation<Void, Never>] = []
    private var isOpen = false

    func open() {
        isOpen = true
        for continuation in waiting { continuation.resume() }
        waiting = []
    }

    /// Returns when somebody waits for an answer.
    func hasBeenAsked() async {
        guard count == 0 else { return }
        await withCheckedContinuation { asked.append($0) }
    }

    func cell(of organization: OrganizationReference) async throws -> String? {
        count += 1
        for continuation in asked { continuation.resume() }
        asked = []
        if !isOpen { await withCheckedContinuation { waiting.append($0) } }
        return organization == .id(1) ? "us" : nil
    }

    func refreshedCell(of organization: OrganizationReference) async throws -> String? { "us-again" }
    func someCells() async throws -> [String] { [] }
}
