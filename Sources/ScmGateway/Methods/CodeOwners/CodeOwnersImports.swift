import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func importCodeOwners(_ request: ImportCodeOwnersRequest, context: CallContext) async throws -> CodeOwners {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let dialect = try OwnersDialect(request.dialect)
        guard !request.raw.utf8.contains(0) else { throw RPCError.badField("raw", "no NUL is allowed") }
        try Self.checkOwnersText(request.raw)
        let mapping = try await codeMapping(request.codeMappingID, organizationID: organizationID)
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "ImportCodeOwners", requestID: request.requestID, organizationID: organizationID,
                body: ["\(mapping.id)", "\(request.dialect.rawValue)", request.raw]
            )
        let found = request.raw.isEmpty
            ? try await ownersFile(of: mapping, dialect, organizationID: organizationID) : nil
        let (text, read) = (found?.text ?? request.raw, found?.dialect ?? dialect ?? .github)
        let file = try await offLoop { OwnersFile(text, dialect: read) }
        return try await once(memory) { transaction in
            // The mapping may have gone while the file was read.
            guard try CodeMappingRows.find(id: mapping.id, organizationID: organizationID, transaction.reading) != nil,
                let stored = try CodeOwnersRows.store(
                    mappingID: mapping.id, organizationID: organizationID, dialect: Int64(read.message.rawValue),
                    raw: text, sourceCommit: found?.commit, transaction
                )
            else { throw Self.codeMappingNotFound }
            return CodeOwners(stored, file)
        }
    }

    /// The file of the mapping's repository.
    private func ownersFile(
        of mapping: StoredCodeMapping, _ dialect: OwnersDialect?, organizationID: Int64
    ) async throws -> FoundOwnersFile {
        let row = try await activeRepository(mapping.repositoryID, organizationID: organizationID)
        return try await mappingGitErrors(GitFields(revision: "code_mapping_id")) {
            try await ownersFile(in: try await repository(row), at: try mapping.revision, dialect: dialect)
        }
    }

    /// An import with the text that it has now: one that was read from a repository follows its branch, wherever
    /// that moves and the mapping leads. What cannot be read, and a file that has gone, change nothing.
    func followed(_ owners: StoredCodeOwners) async throws -> StoredCodeOwners {
        guard let known = owners.sourceCommit else { return owners }
        do {
            let (mapping, dialect) = (owners.mapping, OwnersDialect(stored: owners.dialect))
            let row = try await activeRepository(mapping.repositoryID, organizationID: mapping.organizationID)
            let repository = try await repository(row)
            let commit = try await repository.resolve(try mapping.revision)
            guard commit != known else { return owners }
            var text = owners.raw
            do {
                text = try await ownersFile(in: repository, at: try Revision(commit.hex), dialect: dialect).text
            } catch let error as RPCError where error.code == .notFound {}
            return try await database.write { [text] transaction in
                try CodeOwnersRows.follow(owners, raw: text, at: commit, transaction)
                return try CodeOwnersRows.find(id: owners.id, transaction.reading) ?? owners
            }
        } catch {
            try Task.checkCancellation()
            logger.info("a code owners import cannot be looked at again", metadata: [
                "organization": "\(owners.mapping.organizationID)", "id": "\(owners.id)", "error": "\(error)",
            ])
            return owners
        }
    }

    public func listCodeOwners(_ request: ListCodeOwnersRequest, context: CallContext) async throws
        -> ListCodeOwnersResponse
    {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let size = min(try PageSize.check(request.pageSize), 100)
        let pageFilter = try PageFilter(
            "ListCodeOwners", ["\(organizationID)", "\(request.projectID)", "\(request.repositoryID)"]
        )
        let after = try PageToken.parse(request.pageToken, filter: pageFilter)?.position ?? 0
        let filter = CodeMappingFilter(
            organizationID: organizationID, projectID: request.projectID, repositoryID: request.repositoryID
        )
        let rows = try await mappingStorageErrors {
            try await self.database.read { try CodeOwnersRows.list(filter, after: after, limit: size + 1, $0) }
        }
        let page = rows.prefix(size)
        let last = rows.count > size ? page.last : nil
        return ListCodeOwnersResponse(
            codeOwners: page.map { CodeOwners($0) },
            nextPageToken: last.map { PageToken(filter: pageFilter, position: $0.id).text } ?? ""
        )
    }

    public func deleteCodeOwners(_ request: DeleteCodeOwnersRequest, context: CallContext) async throws
        -> Protobuf.Empty
    {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let id = request.codeMappingID
        guard id > 0 else { throw RPCError.badField("code_mapping_id", "a positive id is required") }
        let deletion = Deletion("DeleteCodeOwners", id, organizationID: organizationID)
        let existed = try await mappingStorageErrors {
            try await self.database.write { transaction in
                guard try CodeOwnersRows.delete(mappingID: id, organizationID: organizationID, transaction) else {
                    return try deletion.isKnown(transaction.reading)
                }
                try deletion.note(transaction)
                return true
            }
        }
        guard existed else {
            throw RPCError(.notFound, .codeOwnersNotFound, "the code mapping has no code owners import")
        }
        return Protobuf.Empty()
    }
}

extension StoredCodeMapping {
    /// nil for the repository's default branch.
    ///
    /// - Throws: ``GitError/invalidRevision(_:)``.
    fileprivate var revision: Revision? {
        get throws(GitError) { defaultBranch.isEmpty ? nil : try Revision(defaultBranch) }
    }
}
