import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func createRepository(
        _ request: CreateRepositoryRequest,
        context: CallContext
    ) async throws -> Repository {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        if request.integrationID != 0 {
            throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
        }
        try Self.check(request)
        let memory = try Self.idempotentRequest(request, organizationID: organizationID)
        if let answer = try await recall(memory) { return answer }
        if request.identifier.contains("://") {
            return try await createMirror(request, memory, organizationID: organizationID, context)
        }
        let folder = try await allowedFolder(request.identifier)
        let name = request.config["name"].flatMap { $0.isEmpty ? nil : $0 } ?? folder.defaultName
        guard !request.validateOnly else {
            return try await validated(folder, name, request.config, organizationID: organizationID)
        }
        // Again inside the transaction: the same request may have been answered meanwhile.
        let result = try await once(memory) { transaction in
            let row = try Self.store(folder, name, request.config, organizationID: organizationID, transaction)
            transaction.afterCommit { self.directory.forget(id: row.id, organizationID: organizationID) }
            return Repository(row)
        }
        noteRepositoryChange("added", result.id, organizationID: organizationID, context)
        return result
    }

    // MARK: Checking

    private static func check(_ request: CreateRepositoryRequest) throws(RPCError) {
        guard request.provider != .unspecified else {
            throw RPCError.badField("provider", "a provider is required")
        }
        guard request.provider == .localGit else {
            throw RPCError(.unimplemented, .capabilityMissing, "this server serves local git repositories only")
        }
        guard !request.identifier.isEmpty else {
            throw RPCError.badField("identifier", "the absolute folder of a git repository is required")
        }
        let isAddress = request.identifier.contains("://")
        guard isAddress || request.identifier.hasPrefix("/"), !request.identifier.utf8.contains(0),
            request.identifier.utf8.count <= 4096
        else { throw RPCError.badField("identifier", "not an absolute folder of at most 4096 bytes, nor an address") }
        try ConfigRules.check(request.config)
    }

    private static func idempotentRequest(
        _ request: CreateRepositoryRequest,
        organizationID: Int64
    ) throws(RPCError) -> IdempotentRequest? {
        guard !request.requestID.isEmpty, !request.validateOnly else { return nil }
        let config = request.config.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        return try IdempotentRequest(
            method: "CreateRepository", requestID: request.requestID, organizationID: organizationID,
            body: ["\(request.provider.rawValue)", request.identifier] + config
        )
    }

    private func recall(_ memory: IdempotentRequest?) async throws -> Repository? {
        guard let memory else { return nil }
        return try await mappingStorageErrors {
            switch try await self.database.read({ try memory.recall($0) }) {
            case .unknown: nil
            case .answered(let bytes): try Repository(serializedBytes: bytes)
            case .differs: throw IdempotentRequest.differentBody
            }
        }
    }

    /// The folder, if the operator allows it. What lies outside of the allowed folders is refused before anybody
    /// looks whether it exists.
    func allowedFolder(_ path: String) async throws -> LocalFolder {
        let roots = configuration.repositoryRoots
        let found = try await offLoop { () -> Result<LocalFolder, RPCError> in
            guard let real = RepositoryLocation.realPath(path), Self.isBelow(roots, real) else {
                return .failure(Self.outsideOfRoots)
            }
            do throws(GitError) {
                let folder = try LocalFolder(path)
                let places = [folder.root] + folder.location.realPlaces
                guard places.allSatisfy({ Self.isBelow(roots, $0) }) else { return .failure(Self.outsideOfRoots) }
                guard !folder.location.borrowsObjects else { return .failure(Self.borrowedObjects) }
                let own = folder.location.withoutBorrowing
                try SpecialFiles(own).checkObjects()
                try ObjectFolders(own).check()
                return .success(folder)
            } catch {
                return .failure(error == .borrowsObjects ? Self.borrowedObjects : Self.unreadable)
            }
        }
        return try found.get()
    }

    private static func isBelow(_ roots: [String], _ path: String) -> Bool {
        roots.contains { root in
            guard let real = RepositoryLocation.realPath(root) else { return false }
            return path == real || path.hasPrefix(real == "/" ? "/" : real + "/")
        }
    }

    private static var outsideOfRoots: RPCError {
        RPCError(
            .failedPrecondition, .noRepositoryAccess,
            "the folder does not exist below the folders that the setting repositoryRoots allows",
            facts: ["setting": "repositoryRoots"]
        )
    }

    private static var borrowedObjects: RPCError {
        RPCError(
            .failedPrecondition, .noRepositoryAccess,
            "the repository borrows objects from another one (objects/info/alternates, or a link);"
                + " the operator can add it"
        )
    }

    private static var unreadable: RPCError {
        RPCError(.failedPrecondition, .noRepositoryAccess, "the folder is not a git repository that can be read")
    }

    // MARK: Storing

    /// A hidden row comes back; anything else that is there is a conflict.
    private static func store(
        _ folder: LocalFolder,
        _ name: String,
        _ config: [String: String],
        organizationID: Int64,
        _ transaction: WriteTransaction
    ) throws -> StoredRepository {
        let old = try RepositoryRows.find(
            externalID: folder.root, organizationID: organizationID, transaction.reading
        )
        guard let old else {
            return try RepositoryRows.insert(
                folder, name: name, config: config, organizationID: organizationID, mayBorrowObjects: false,
                transaction
            )
        }
        guard old.status == .hidden else { throw exists(old) }
        return try RepositoryRows.reactivate(old, folder, name: name, config: config, transaction)
    }

    /// The answer to `validate_only`: what would be stored, without an id.
    private func validated(
        _ folder: LocalFolder,
        _ name: String,
        _ config: [String: String],
        organizationID: Int64
    ) async throws -> Repository {
        let old = try await mappingStorageErrors {
            try await self.database.read { transaction in
                try RepositoryRows.find(externalID: folder.root, organizationID: organizationID, transaction)
            }
        }
        if let old, old.status != .hidden { throw Self.exists(old) }
        return Repository(
            organizationID: organizationID, name: name, url: folder.url, provider: .localGit,
            externalID: folder.root, status: .active, config: config.filter { !ConfigRules.isSecret($0.key) },
            defaultBranch: folder.defaultBranch
        )
    }

    static func exists(_ row: StoredRepository) -> RPCError {
        RPCError(
            .alreadyExists, .repositoryExists, "the organization has this repository",
            facts: ["repositoryId": "\(row.id)"]
        )
    }
}
