import FrameCodec
import Foundation
import RPC
import ScmAPI
import SiloRPC
import Storage
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct RepositoryServiceTests {
    func repository(below folder: String, _ name: String) throws -> TestRepository {
        let repository = try TestRepository(at: "\(folder)/repositories/\(name)")
        try repository.commit("first", ["a": "x\n"])
        return repository
    }

    @Test func createdRepositoriesCanBeFoundAllWays() async throws {
        let gateway = try await Gateway { _ in }
        let service = try gateway.service(roots: ["/"])
        let repository = try repository(below: gateway.folder, "one.git")
        let request = CreateRepositoryRequest(
            provider: .localGit, identifier: repository.path, config: ["x": "y", "api_token": "secret"]
        )
        let created = try await service.createRepository(request, context: gateway.context())
        #expect(created.id > 0)
        #expect(created.organizationID == gateway.first)
        #expect(created.name == "one")
        #expect(created.externalID == repository.path)
        #expect(created.url == "file://\(repository.path)/")
        #expect(created.provider == .localGit)
        #expect(created.status == .active)
        #expect(created.defaultBranch == "main")
        #expect(created.config == ["x": "y"])
        let selectors: [GetRepositoryRequest.Selector] = [
            .repositoryID(created.id), .name("one"),
            .external(ProviderRef(provider: .localGit, externalID: repository.path)),
            .external(ProviderRef(provider: .localGit, externalID: "one")),
        ]
        for selector in selectors {
            for refresh in [false, true] {
                let found = try await service.getRepository(
                    GetRepositoryRequest(selector: selector, refresh: refresh), context: gateway.context())
                #expect(found == created)
            }
            await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
                try await service.getRepository(
                    GetRepositoryRequest(selector: selector), context: gateway.context(organizationID: gateway.second))
            }
        }
        await expectError(.alreadyExists, "REPO_EXISTS") {
            try await service.createRepository(request, context: gateway.context())
        }
        // The same folder belongs to another organization's own row.
        let other = try await service.createRepository(
            request, context: gateway.context(organizationID: gateway.second))
        #expect(other.id != created.id)
        await service.shutdown()
    }

    @Test func creationIsCheckedFieldByField() async throws {
        let gateway = try await Gateway()
        let service = try gateway.service(roots: [gateway.folder])
        let context = gateway.context()
        func create(_ identifier: String, _ change: (inout CreateRepositoryRequest) -> Void = { _ in }) async throws
            -> Repository
        {
            var request = CreateRepositoryRequest(provider: .localGit, identifier: identifier)
            change(&request)
            return try await service.createRepository(request, context: context)
        }
        await expectError(.invalidArgument, field: "identifier") { try await create("") }
        await expectError(.invalidArgument, field: "identifier") { try await create("relative") }
        await expectError(.invalidArgument, field: "identifier") { try await create("/a\0b") }
        await expectError(.invalidArgument, field: "provider") { try await create("/x") { $0.provider = .unspecified } }
        await expectError(.unimplemented, "CAPABILITY_MISSING") { try await create("x") { $0.provider = .github } }
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") { try await create("/x") { $0.integrationID = 7 } }
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create("/etc") }
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create("/absent") }
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(gateway.folder) }
        let repository = try repository(below: gateway.folder, "a")
        await expectError(.invalidArgument, field: "request_id") {
            try await create(repository.path) { $0.requestID = "x" }
        }
        await expectError(.invalidArgument, field: "config") {
            try await create(repository.path) { $0.config = ["name": String(repeating: "n", count: 201)] }
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await service.createRepository(
                CreateRepositoryRequest(provider: .localGit, identifier: repository.path),
                context: gateway.context(scopes: [.read]))
        }
        // A way out of the allowed folders: a link, a .git file, borrowed objects.
        let outside = try TestRepository()
        try outside.commit("first", ["a": "x\n"])
        try FileManager.default.createSymbolicLink(atPath: gateway.folder + "/link", withDestinationPath: outside.path)
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(gateway.folder + "/link") }
        try FileManager.default.createDirectory(atPath: gateway.folder + "/tree", withIntermediateDirectories: true)
        try "gitdir: \(outside.path)/.git\n".write(
            toFile: gateway.folder + "/tree/.git", atomically: true, encoding: .utf8)
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(gateway.folder + "/tree") }
        try "\(outside.path)/.git/objects\n".write(
            toFile: repository.path + "/.git/objects/info/alternates", atomically: true, encoding: .utf8)
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(repository.path) }
        await service.shutdown()
    }

    @Test func aRequestIDAnswersTheSameOnce() async throws {
        let gateway = try await Gateway()
        let service = try gateway.service(roots: [gateway.folder])
        let one = try repository(below: gateway.folder, "one")
        let two = try repository(below: gateway.folder, "two")
        var request = CreateRepositoryRequest(
            provider: .localGit, identifier: one.path, config: ["a": "1", "b": "2"], requestID: UUID().uuidString)
        request.validateOnly = true
        let preview = try await service.createRepository(request, context: gateway.context())
        #expect(preview.id == 0)
        request.validateOnly = false
        let created = try await service.createRepository(request, context: gateway.context())
        #expect(created.id > 0)
        #expect(try await service.createRepository(request, context: gateway.context()) == created)
        request.identifier = two.path
        await expectError(.invalidArgument, field: "request_id") {
            try await service.createRepository(request, context: gateway.context())
        }
        // Another organization's ids are its own.
        let other = try await service.createRepository(
            request, context: gateway.context(organizationID: gateway.second))
        #expect(other.externalID == two.path)
        await service.shutdown()
    }

    @Test func deletedRepositoriesAreGoneAndCanComeBack() async throws {
        let gateway = try await Gateway()
        let service = try gateway.service(roots: [gateway.folder])
        let repository = try repository(below: gateway.folder, "one")
        let create = CreateRepositoryRequest(provider: .localGit, identifier: repository.path)
        let first = try await service.createRepository(create, context: gateway.context())
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await service.deleteRepository(
                DeleteRepositoryRequest(repositoryID: first.id),
                context: gateway.context(organizationID: gateway.second))
        }
        let delete = DeleteRepositoryRequest(repositoryID: first.id, requestID: UUID().uuidString)
        for _ in 0..<3 { _ = try await service.deleteRepository(delete, context: gateway.context()) }
        _ = try await service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: first.id), context: gateway.context())
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await service.getRepository(
                GetRepositoryRequest(selector: .repositoryID(first.id)), context: gateway.context())
        }
        #expect(try await service.listRepositories(.init(), context: gateway.context()).repositories.isEmpty)
        let second = try await service.createRepository(create, context: gateway.context())
        #expect(second.id != first.id)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await service.deleteRepository(
                DeleteRepositoryRequest(repositoryID: 999), context: gateway.context())
        }
        // A day later it is forgotten.
        try await gateway.database.write { transaction in
            _ = try transaction.execute("UPDATE repositories SET deleted_at = 0 WHERE id = ?", [.integer(first.id)])
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await service.deleteRepository(
                DeleteRepositoryRequest(repositoryID: first.id), context: gateway.context())
        }
        await service.shutdown()
    }

    @Test func hiddenRowsComeBackWithTheirID() async throws {
        let gateway = try await Gateway()
        let service = try gateway.service(roots: [gateway.folder])
        let repository = try repository(below: gateway.folder, "one")
        var create = CreateRepositoryRequest(
            provider: .localGit, identifier: repository.path, config: ["old": "1", "both": "1"])
        let first = try await service.createRepository(create, context: gateway.context())
        try await gateway.setStatus(.hidden, of: first.id)
        await expectError(.failedPrecondition, "REPOSITORY_INACTIVE") {
            try await service.getCommit(
                GetCommitRequest(repositoryID: first.id, sha: "main"), context: gateway.context())
        }
        create.config = ["new": "2", "both": "2", "name": "renamed"]
        let back = try await service.createRepository(create, context: gateway.context())
        #expect(back.id == first.id)
        #expect(back.name == "renamed")
        #expect(back.status == .active)
        #expect(back.config == ["old": "1", "both": "2", "new": "2", "name": "renamed"])
        try await gateway.setStatus(.disabled, of: first.id)
        await expectError(.alreadyExists, "REPO_EXISTS") {
            try await service.createRepository(create, context: gateway.context())
        }
        await service.shutdown()
    }

    @Test(arguments: [1, 2, 3, 7, 100])
    func aPageWalkSeesEveryRowOnce(size: Int32) async throws {
        let gateway = try await Gateway()
        let ids = try await gateway.insertRows(count: 20)
        _ = try await gateway.insertRows(count: 3, organizationID: gateway.second)
        var seen: [Int64] = []
        var request = ListRepositoriesRequest(pageSize: size, includeTotalSize: true)
        repeat {
            let page = try await gateway.service.listRepositories(request, context: gateway.context())
            #expect(page.totalSize == 20)
            #expect(page.repositories.count <= Int(size))
            seen += page.repositories.map(\.id)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(seen == ids)
        await gateway.service.shutdown()
    }

    @Test func filtersChooseRows() async throws {
        let gateway = try await Gateway()
        let ids = try await gateway.insertRows(count: 5)
        try await gateway.setStatus(.hidden, of: ids[1])
        try await gateway.setStatus(.disabled, of: ids[2])
        func list(_ change: (inout ListRepositoriesRequest) -> Void) async throws -> [Int64] {
            var request = ListRepositoriesRequest()
            change(&request)
            return try await gateway.service.listRepositories(request, context: gateway.context()).repositories.map(
                \.id)
        }
        #expect(try await list { _ in } == [ids[0], ids[2], ids[3], ids[4]])
        #expect(try await list { $0.statuses = [.hidden] } == [ids[1]])
        #expect(try await list { $0.provider = .localGit }.count == 4)
        #expect(try await list { $0.provider = .github }.isEmpty)
        #expect(try await list { $0.query = "ROW-3" } == [ids[3]])
        #expect(try await list { $0.query = "%" }.isEmpty)
        #expect(try await list { $0.externalIDs = ["/row/0", "/row/4"] } == [ids[0], ids[4]])
        #expect(try await list { $0.updatedSince = Protobuf.Timestamp(seconds: 4_000_000_000) }.isEmpty)
        #expect(try await list { $0.updatedSince = Protobuf.Timestamp(seconds: 1) }.count == 4)
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") { try await list { $0.integrationID = 3 } }
        await expectError(.invalidArgument, field: "statuses") { try await list { $0.statuses = [.init(rawValue: 4)] } }
        await expectError(.invalidArgument, field: "page_size") { try await list { $0.pageSize = -1 } }
        await expectError(.invalidArgument, field: "updated_since") {
            try await list { $0.updatedSince = Protobuf.Timestamp(seconds: 1, nanos: -1) }
        }
        for token in ["x", "!!!!", "AAAA", String(repeating: "A", count: 600)] {
            await expectError(.invalidArgument, field: "page_token") { try await list { $0.pageToken = token } }
        }
        let page = try await gateway.service.listRepositories(.init(pageSize: 1), context: gateway.context())
        await expectError(.invalidArgument, field: "page_token") {
            try await list { $0.pageToken = page.nextPageToken; $0.query = "other" }
        }
        await gateway.service.shutdown()
    }

    @Test func namesThatFitTwoAreAmbiguous() async throws {
        let gateway = try await Gateway()
        _ = try await gateway.insertRows(count: 2, name: "same")
        await expectError(.failedPrecondition, "AMBIGUOUS") {
            try await gateway.service.getRepository(
                GetRepositoryRequest(selector: .name("same")), context: gateway.context())
        }
        await expectError(.invalidArgument, field: "name") {
            try await gateway.service.getRepository(
                GetRepositoryRequest(selector: .name("a\0b")), context: gateway.context())
        }
        await expectError(.invalidArgument, field: "selector") {
            try await gateway.service.getRepository(GetRepositoryRequest(), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test func tenancyAndScopesAreChecked() async throws {
        let gateway = try await Gateway()
        let id = try await gateway.insertRows(count: 1)[0]
        let get = GetRepositoryRequest(selector: .repositoryID(id))
        await expectError(.unauthenticated, "UNAUTHENTICATED") {
            try await gateway.service.getRepository(get, context: CallContext(method: ScmServiceMethod.getRepository))
        }
        await expectError(.permissionDenied, "SCOPE_MISSING") {
            try await gateway.service.getRepository(get, context: gateway.context(scopes: [.write]))
        }
        var foreign = get
        foreign.organizationID = gateway.second
        await expectError(.permissionDenied, "ORGANIZATION_MISMATCH") {
            try await gateway.service.getRepository(foreign, context: gateway.context())
        }
        foreign.organizationID = gateway.first
        #expect(try await gateway.service.getRepository(foreign, context: gateway.context()).id == id)
        let other = gateway.context(organizationID: gateway.second)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.getCommit(GetCommitRequest(repositoryID: id, sha: "main"), context: other)
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.listCommits(ListCommitsRequest(repositoryID: id), context: other)
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.blame(BlameFileRequest(repositoryID: id, path: "a"), context: other)
        }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.getCommitContext(
                GetCommitContextRequest(repositoryID: id, filepath: "a", lineNumber: 1), context: other)
        }
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await gateway.service.getRateLimit(GetRateLimitRequest(integrationID: 1), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test func theOperatorsStoreAddsListsAndRemoves() async throws {
        let gateway = try await Gateway()
        let store = RepositoryStore(gateway.database)
        let repository = try TestRepository()
        let added = try await store.add(path: repository.path + "/.git", organizationID: gateway.first)
        #expect(added.path == repository.path)
        #expect(try await store.find(path: repository.path, organizationID: gateway.first) == added)
        #expect(try await store.find(path: repository.path, organizationID: gateway.second) == nil)
        #expect(try await store.list() == [added])
        #expect(try await store.list(organizationID: gateway.second).isEmpty)
        await #expect(throws: RepositoryStoreError.self) {
            try await store.add(path: repository.path, organizationID: gateway.first)
        }
        await #expect(throws: RepositoryStoreError.self) {
            try await store.add(path: repository.path, organizationID: 99)
        }
        await #expect(throws: RepositoryStoreError.self) {
            try await store.add(path: "/etc", organizationID: gateway.first)
        }
        await #expect(throws: SiloError.self) {
            try await OrganizationStore(gateway.database).remove(id: gateway.first)
        }
        try await store.remove(id: added.id)
        await #expect(throws: RepositoryStoreError.self) { try await store.remove(id: added.id) }
        try await OrganizationStore(gateway.database).remove(id: gateway.first)
        await gateway.service.shutdown()
    }
}

extension Gateway {
    func service(roots: [String]) throws -> ScmGatewayService {
        var configuration = ScmGatewayConfiguration()
        configuration.repositoryRoots = roots
        configuration.repositoryCacheLifetime = .zero
        return try ScmGatewayService(configuration: configuration, database: database)
    }

    func setStatus(_ status: StoredRepository.Status, of id: Int64) async throws {
        try await database.write { transaction in
            _ = try transaction.execute(
                "UPDATE repositories SET status = ? WHERE id = ?", [.integer(status.rawValue), .integer(id)])
        }
    }

    /// Rows without folders, for everything that never looks at them.
    func insertRows(count: Int, organizationID: Int64? = nil, name: String? = nil) async throws -> [Int64] {
        let organizationID = organizationID ?? first
        return try await database.write { transaction in
            try (0..<count).map { index in
                try transaction.row(
                    """
                    INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder,
                        default_branch, status, config, created_at, updated_at)
                    VALUES (?, 'integrations:local_git', ?, ?, '', '/row', 'main', 1, '{}', 1, 2000) RETURNING id
                    """,
                    [.integer(organizationID), .text("/row/\(index)"), .text(name ?? "Row-\(index)")]
                )?.integer("id") ?? 0
            }
        }
    }
}
