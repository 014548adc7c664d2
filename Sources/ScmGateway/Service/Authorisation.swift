import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    /// The organization that a call acts for.
    ///
    /// - Parameter organizationID: what the request says; 0 infers it from the key.
    /// - Throws: UNAUTHENTICATED without a principal; PERMISSION_DENIED for a missing scope or another organization.
    func authorise(_ context: CallContext, _ scope: Scope, organizationID: Int64) throws(RPCError) -> Int64 {
        guard let principal = context.serviceContext[PrincipalKey.self] else {
            throw RPCError(.unauthenticated, .unauthenticated, "this call needs an API key")
        }
        guard principal.scopes.contains(scope) else {
            throw RPCError(
                .permissionDenied, .scopeMissing, "the API key lacks the scope \(scope.rawValue)",
                facts: ["scope": scope.rawValue]
            )
        }
        guard organizationID == 0 || organizationID == principal.organizationID else {
            throw RPCError(.permissionDenied, .organizationMismatch, "the API key belongs to another organization")
        }
        return principal.organizationID
    }

    /// The row of a repository that the organization owns and that is in use.
    ///
    /// - Throws: INVALID_ARGUMENT, NOT_FOUND (also for another organization's), FAILED_PRECONDITION when it is not
    ///   active.
    func activeRepository(
        _ id: Int64, organizationID: Int64, field: String = "repository_id"
    ) async throws -> StoredRepository {
        guard id > 0 else { throw RPCError.badField(field, "a positive id is required") }
        let found = try await mappingStorageErrors {
            try await self.directory.find(id: id, organizationID: organizationID)
        }
        guard let found else { throw Self.repositoryNotFound }
        guard found.status == .active else {
            throw RPCError(.failedPrecondition, .repositoryInactive, "the repository is not active")
        }
        if let mirror = found.mirror, !mirror.isReadable {
            throw RPCError(
                .failedPrecondition, .repositoryUnreadable,
                mirror.state == .failed ? "the first clone failed" : "the first clone has not ended yet"
            )
        }
        return found
    }

    /// One line in the log for each change of a repository.
    func noteRepositoryChange(_ what: String, _ id: Int64, organizationID: Int64, _ context: CallContext) {
        logger.info("repository \(what)", metadata: [
            "organization": "\(organizationID)", "repository": "\(id)",
            "key": "\(context.serviceContext[PrincipalKey.self]?.keyID ?? 0)",
        ])
    }

    /// Authorises a reading call, resolves the repository once, and gives its capabilities to `body`, whose git
    /// errors get the names of the request's fields.
    func reading<R: Sendable>(
        _ context: CallContext,
        organizationID: Int64,
        repositoryID: Int64,
        fields: GitFields,
        _ body: @Sendable (StoredRepository, any SourceRepository) async throws -> R
    ) async throws -> R {
        let organizationID = try authorise(context, .read, organizationID: organizationID)
        return try await honouringNoStore(context) {
            let row = try await activeRepository(repositoryID, organizationID: organizationID)
            return try await mappingGitErrors(fields) {
                try await body(row, try await self.repository(row))
            }
        }
    }

    static var repositoryNotFound: RPCError {
        RPCError(.notFound, .repositoryNotFound, "there is no such repository in this organization")
    }

    /// Gives database errors a status that tells whether trying again helps.
    func mappingStorageErrors<R: Sendable>(_ body: @Sendable () async throws -> R) async throws -> R {
        do {
            return try await body()
        } catch let error as StorageError {
            logger.error("database failed", metadata: ["error": "\(error)"])
            if error.isBusy { throw RPCError.databaseBusy }
            if error.isUnexpectedValue {
                throw RPCError(.internalError, "a stored row is not what this version expects")
            }
            if error.isFull { throw RPCError.diskFull }
            throw RPCError(.unavailable, "the database cannot be used")
        }
    }
}
