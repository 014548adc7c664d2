import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func getRepository(_ request: GetRepositoryRequest, context: CallContext) async throws -> Repository {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard let selector = request.selector else {
            throw RPCError.badField("selector", "one of repository_id, external and name is required")
        }
        let row = try await honouringNoStore(context) { try await find(selector, organizationID: organizationID) }
        guard request.refresh else { return Repository(row) }
        return Repository(try await refreshed(row))
    }

    private func find(
        _ selector: GetRepositoryRequest.Selector,
        organizationID: Int64
    ) async throws -> StoredRepository {
        let found = try await mappingStorageErrors {
            switch selector {
            case .repositoryID(let id):
                guard id > 0 else { throw RPCError.badField("repository_id", "a positive id is required") }
                return try await self.directory.find(id: id, organizationID: organizationID).map { [$0] } ?? []
            case .external(let reference):
                return try await self.find(reference, organizationID: organizationID)
            case .name(let name):
                guard !name.isEmpty, !name.utf8.contains(0) else {
                    throw RPCError.badField("name", "a name is required")
                }
                return try await self.database.read { transaction in
                    try RepositoryRows.find(name: name, organizationID: organizationID, transaction)
                }
            }
        }
        guard found.count < 2 else {
            throw RPCError(.failedPrecondition, .ambiguous, "more than one repository has this name: use the id")
        }
        guard let row = found.first else { throw Self.repositoryNotFound }
        return row
    }

    /// By the provider's id, and if there is none, by name.
    private func find(_ reference: ProviderRef, organizationID: Int64) async throws -> [StoredRepository] {
        guard reference.provider != .unspecified else {
            throw RPCError.badField("external.provider", "a provider is required")
        }
        guard !reference.externalID.isEmpty, !reference.externalID.utf8.contains(0) else {
            throw RPCError.badField("external.external_id", "an external id or a name is required")
        }
        guard reference.provider == .localGit else { return [] }
        return try await database.read { transaction in
            let id = reference.externalID
            if let row = try RepositoryRows.find(externalID: id, organizationID: organizationID, transaction) {
                return [row]
            }
            return try RepositoryRows.find(name: id, organizationID: organizationID, transaction)
        }
    }

    /// Looks at the folder again and stores what may have changed.
    private func refreshed(_ row: StoredRepository) async throws -> StoredRepository {
        // What a mirror's first clone has not brought yet cannot be looked at.
        if let mirror = row.mirror, !mirror.isReadable { return row }
        let branch = try await mappingGitErrors(GitFields()) {
            let gitFolder = row.gitFolder
            return try await offLoop {
                let location = try RepositoryLocation(gitFolder: gitFolder)
                // A link put in the folder's place since leads to another repository, perhaps somebody else's.
                guard location.gitFolder == gitFolder else { throw GitError.repositoryMissing }
                return LocalFolder.defaultBranch(location)
            }
        }
        let stored = try await mappingStorageErrors {
            try await self.database.write { transaction in
                transaction.afterCommit { self.directory.forget(id: row.id, organizationID: row.organizationID) }
                return try RepositoryRows.refresh(row.id, defaultBranch: branch, transaction)
            }
        }
        guard let stored else { throw Self.repositoryNotFound }
        return stored
    }
}
