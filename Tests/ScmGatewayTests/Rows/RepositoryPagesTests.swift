import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

/// Lists that are kept in memory never show what is no longer so.
@Suite(.timeLimit(.minutes(5))) struct RepositoryPagesTests {
    private func names(
        _ gateway: Gateway, _ request: ListRepositoriesRequest = ListRepositoriesRequest(), organizationID: Int64? = nil
    ) async throws -> [String] {
        try await gateway.service.listRepositories(request, context: gateway.context(organizationID: organizationID))
            .repositories.map(\.name)
    }

    private func insert(_ name: String, _ gateway: Gateway, into database: Database? = nil) async throws {
        let organizationID = gateway.first
        _ = try await (database ?? gateway.database).write { transaction in
            try transaction.execute(
                """
                INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder,
                    default_branch, status, config, created_at, updated_at)
                VALUES (?, 'integrations:local_git', ?, ?, '', '/row', 'main', 1, '{}', 1, 2000)
                """,
                [.integer(organizationID), .text("/named/\(name)"), .text(name)])
        }
    }

    @Test func everyKindOfWriteShowsInTheNextList() async throws {
        let gateway = try await Gateway()
        let ids = try await gateway.insertRows(count: 3)
        #expect(try await names(gateway) == ["Row-0", "Row-1", "Row-2"])
        _ = try await gateway.service.updateRepository(
            UpdateRepositoryRequest(
                repository: Repository(id: ids[0], name: "new"), updateMask: .init(paths: ["name"])),
            context: gateway.context())
        #expect(try await names(gateway) == ["new", "Row-1", "Row-2"])
        _ = try await gateway.service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: ids[1]), context: gateway.context())
        #expect(try await names(gateway) == ["new", "Row-2"])
        // Statements that no method of the service makes: the database itself counts.
        try await insert("added", gateway)
        #expect(try await names(gateway) == ["new", "Row-2", "added"])
        try await gateway.database.write {
            _ = try $0.execute("DELETE FROM repositories WHERE id = ?", [.integer(ids[2])])
        }
        #expect(try await names(gateway) == ["new", "added"])
        try await gateway.setStatus(.hidden, of: ids[0])
        #expect(try await names(gateway) == ["added"])
        await gateway.service.shutdown()
    }

    @Test func eachFilterAndPageIsAnAnswerOfItsOwn() async throws {
        let gateway = try await Gateway()
        _ = try await gateway.insertRows(count: 5)
        for _ in 0..<2 {
            #expect(try await names(gateway, ListRepositoriesRequest(query: "w-3")) == ["Row-3"])
            #expect(try await names(gateway, ListRepositoriesRequest(query: "w-4")) == ["Row-4"])
            #expect(try await names(gateway, organizationID: gateway.second).isEmpty)
            let first = try await gateway.service.listRepositories(
                ListRepositoriesRequest(pageSize: 3, includeTotalSize: true), context: gateway.context())
            #expect(first.repositories.count == 3 && first.totalSize == 5)
            let rest = ListRepositoriesRequest(pageSize: 3, pageToken: first.nextPageToken, includeTotalSize: true)
            #expect(try await names(gateway, rest) == ["Row-3", "Row-4"])
        }
        await gateway.service.shutdown()
    }

    /// The command line beside a running server.
    @Test func anotherProcessesWriteShows() async throws {
        let gateway = try await Gateway()
        let other = try Database.open(
            path: gateway.database.path, migrations: SiloSchema.migrations + ScmGatewaySchema.migrations)
        for number in 0..<5 {
            try await insert("other-\(number)", gateway, into: other)
            // Within the millisecond after a look this process need not notice.
            while try await names(gateway).last != "other-\(number)" { try await Task.sleep(for: .milliseconds(1)) }
        }
        try other.close()
        await gateway.service.shutdown()
    }

    @Test func listsBesideWritesAreNeverOlderThanAFinishedWrite() async throws {
        let gateway = try await Gateway()
        let finished = Box(0)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 1...60 {
                    try await self.insert("\(number)", gateway)
                    finished.withLock { $0 = number }
                }
            }
            for _ in 0..<8 {
                group.addTask {
                    while true {
                        let before = finished.withLock { $0 }
                        let seen = try await self.names(gateway, ListRepositoriesRequest(pageSize: 1000)).count
                        #expect(seen >= before)
                        if before == 60 { return }
                    }
                }
            }
            try await group.waitForAll()
        }
        await gateway.service.shutdown()
    }

    @Test func aRowReadBesideAChangeIsNotKept() async throws {
        let gateway = try await Gateway { $0.repositoryCacheLifetime = .seconds(3600) }
        for _ in 0..<30 {
            let id = try await gateway.insertRows(count: 1, name: "a")[0]
            async let deleted = gateway.service.deleteRepository(
                DeleteRepositoryRequest(repositoryID: id), context: gateway.context())
            // Fills the memory before, beside or after the deletion.
            async let found = gateway.service.directory.find(id: id, organizationID: gateway.first)
            _ = try await (deleted, found)
            #expect(try await gateway.service.directory.find(id: id, organizationID: gateway.first) == nil)
        }
        await gateway.service.shutdown()
    }

    @Test func anOrganizationGoesWithItsCount() async throws {
        let gateway = try await Gateway()
        let id = try await gateway.insertRows(count: 1)[0]
        _ = try await gateway.service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: id), context: gateway.context())
        try await OrganizationStore(gateway.database).remove(id: gateway.first)
        let left = try await gateway.database.read { try $0.rows("SELECT * FROM repository_versions") }
        #expect(left.isEmpty)
        await gateway.service.shutdown()
    }
}
