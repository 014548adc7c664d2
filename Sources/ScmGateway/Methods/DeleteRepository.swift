import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    /// Needs no memory of request ids: deleting again within 24 hours answers OK anyway. An id that was used for
    /// another repository is still refused.
    public func deleteRepository(
        _ request: DeleteRepositoryRequest,
        context: CallContext
    ) async throws -> Protobuf.Empty {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let id = request.repositoryID
        guard id > 0 else { throw RPCError.badField("repository_id", "a positive id is required") }
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "DeleteRepository", requestID: request.requestID, organizationID: organizationID,
                body: ["\(id)", "\(request.force)"]
            )
        let old = try await mappingStorageErrors {
            try await self.database.read { try RepositoryRows.find(id: id, organizationID: organizationID, $0) }
        }
        let exists = try await mappingStorageErrors {
            try await self.database.write { transaction in
                switch try memory?.recall(transaction.reading) {
                case .answered: return true
                case .differs: throw IdempotentRequest.differentBody
                case .unknown, nil: break
                }
                if !request.force,
                    let mapping = try CodeOwnersRows.mapping(
                        ofRepository: id, organizationID: organizationID, transaction.reading)
                { throw Self.codeOwnersUse(mapping: mapping) }
                guard try RepositoryRows.delete(id: id, organizationID: organizationID, transaction) else {
                    return false
                }
                try memory?.remember([], transaction)
                transaction.afterCommit { self.directory.forget(id: id, organizationID: organizationID) }
                return true
            }
        }
        guard exists else { throw Self.repositoryNotFound }
        if let old { try await removeFiles(of: old) }
        noteRepositoryChange("deleted", id, organizationID: organizationID, context)
        return Protobuf.Empty()
    }

    /// Only what this service made itself is removed from the disk.
    private func removeFiles(of row: StoredRepository) async throws {
        let isUsed = try await mappingStorageErrors {
            try await self.database.read { try RepositoryRows.isUsed(gitFolder: row.gitFolder, $0) }
        }
        // Another organization may have the same folder.
        if !isUsed { await localGit.engine.forget(gitFolder: row.gitFolder) }
        if row.mirror != nil { await mirrors.remove(row) }
    }
}
