import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func createCodeMapping(_ request: CreateCodeMappingRequest, context: CallContext) async throws -> CodeMapping
    {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        if request.integrationID != 0 {
            throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
        }
        guard !request.automaticallyGenerated else {
            throw RPCError.badField("automatically_generated", "only the server sets it")
        }
        try CodeMappingRules.check(
            CodeMapping(
                projectID: request.projectID, repositoryID: request.repositoryID, stackRoot: request.stackRoot,
                sourceRoot: request.sourceRoot, defaultBranch: request.defaultBranch
            )
        )
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "CreateCodeMapping", requestID: request.requestID, organizationID: organizationID,
                body: [
                    "\(request.projectID)", "\(request.repositoryID)", request.stackRoot, request.sourceRoot,
                    request.defaultBranch,
                ]
            )
        let values = CodeMappingValues(
            projectID: request.projectID, repositoryID: request.repositoryID,
            roots: MappingRoots(stack: request.stackRoot, source: request.sourceRoot),
            defaultBranch: request.defaultBranch, isAutomatic: false
        )
        return try await once(memory) { transaction in
            try Self.checkRepository(values.repositoryID, organizationID: organizationID, transaction.reading)
            try Self.checkStackRoot(values, except: nil, organizationID: organizationID, transaction.reading)
            let stored = try CodeMappingRows.insert(values, organizationID: organizationID, transaction)
            guard let stored else { throw Self.codeMappingNotFound }
            return CodeMapping(stored)
        }
    }

    /// What nobody edited keeps its mark: an update that names no field is refused.
    public func updateCodeMapping(_ request: UpdateCodeMappingRequest, context: CallContext) async throws -> CodeMapping
    {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let new = request.codeMapping ?? CodeMapping()
        guard new.id > 0 else { throw RPCError.badField("code_mapping.id", "a positive id is required") }
        let paths = request.updateMask?.paths ?? []
        guard !paths.isEmpty else { throw RPCError.badField("update_mask", "name the fields to change") }
        return try await mappingStorageErrors {
            try await self.database.write { transaction in
                let old = try CodeMappingRows.find(id: new.id, organizationID: organizationID, transaction.reading)
                guard let old else { throw Self.codeMappingNotFound }
                let merged = try Self.merge(new, into: CodeMapping(old), paths)
                try CodeMappingRules.check(merged, prefix: "code_mapping.")
                let values = CodeMappingValues(
                    projectID: merged.projectID, repositoryID: merged.repositoryID,
                    roots: MappingRoots(stack: merged.stackRoot, source: merged.sourceRoot),
                    defaultBranch: merged.defaultBranch, isAutomatic: false
                )
                try Self.checkRepository(values.repositoryID, organizationID: organizationID, transaction.reading)
                try Self.checkStackRoot(values, except: old.id, organizationID: organizationID, transaction.reading)
                let stored = try CodeMappingRows.update(id: old.id, values, organizationID: organizationID, transaction)
                guard let stored else { throw Self.codeMappingNotFound }
                return CodeMapping(stored)
            }
        }
    }

    private static func merge(_ new: CodeMapping, into old: CodeMapping, _ paths: [String]) throws -> CodeMapping {
        var merged = old
        for path in paths {
            switch path {
            case "project_id": merged.projectID = new.projectID
            case "repository_id": merged.repositoryID = new.repositoryID
            case "stack_root": merged.stackRoot = new.stackRoot
            case "source_root": merged.sourceRoot = new.sourceRoot
            case "default_branch": merged.defaultBranch = new.defaultBranch
            default: throw RPCError.badField("update_mask", "\"\(path.prefix(64))\" cannot be changed")
            }
        }
        return merged
    }

    private static func checkStackRoot(
        _ values: CodeMappingValues, except id: Int64?, organizationID: Int64, _ transaction: ReadTransaction
    ) throws {
        let other = try CodeMappingRows.find(
            projectID: values.projectID, stackRoot: values.roots.stack, organizationID: organizationID, transaction
        )
        if let other, other.id != id { throw codeMappingExists(other) }
    }

    public func deleteCodeMapping(_ request: DeleteCodeMappingRequest, context: CallContext) async throws
        -> Protobuf.Empty
    {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let id = request.codeMappingID
        guard id > 0 else { throw RPCError.badField("code_mapping_id", "a positive id is required") }
        let deletion = Deletion("DeleteCodeMapping", id, organizationID: organizationID)
        return try await mappingStorageErrors {
            try await self.database.write { transaction in
                guard try CodeMappingRows.find(id: id, organizationID: organizationID, transaction.reading) != nil
                else {
                    guard try deletion.isKnown(transaction.reading) else { throw Self.codeMappingNotFound }
                    return Protobuf.Empty()
                }
                guard try !CodeOwnersRows.exists(mappingID: id, transaction.reading) else {
                    throw Self.codeOwnersUse(mapping: id)
                }
                _ = try CodeMappingRows.delete(id: id, organizationID: organizationID, transaction)
                try deletion.note(transaction)
                return Protobuf.Empty()
            }
        }
    }

    static func codeOwnersUse(mapping id: Int64) -> RPCError {
        let reason = ErrorReason.codeOwnersUseMapping.rawValue
        let todo = "delete the code owners import of code mapping \(id) first"
        return RPCError(.failedPrecondition, todo, details: [
            GoogleRPC.ErrorInfo(reason: reason, domain: "scm", metadata: ["codeMappingId": "\(id)"]),
            GoogleRPC.PreconditionFailure(violations: [
                .init(type: reason, subject: "code_mapping:\(id)", description: todo)
            ]),
        ])
    }

    public func getCodeMapping(_ request: GetCodeMappingRequest, context: CallContext) async throws -> CodeMapping {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        return CodeMapping(try await codeMapping(request.codeMappingID, organizationID: organizationID))
    }

    public func listCodeMappings(
        _ request: ListCodeMappingsRequest, context: CallContext
    ) async throws -> ListCodeMappingsResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        if request.integrationID != 0 {
            try await checkInstalled(request.integrationID, organizationID: organizationID)
            return ListCodeMappingsResponse()
        }
        let size = try PageSize.check(request.pageSize)
        let pageFilter = try PageFilter(
            "ListCodeMappings", ["\(organizationID)", "\(request.projectID)", "\(request.repositoryID)"]
        )
        let last = try PageToken.parse(request.pageToken, filter: pageFilter).map(MappingRank.init)
        let filter = CodeMappingFilter(
            organizationID: organizationID, projectID: request.projectID, repositoryID: request.repositoryID
        )
        let rows = try await mappingStorageErrors {
            try await self.database.read { try CodeMappingRows.list(filter, after: last, limit: size + 1, $0) }
        }
        let page = rows.prefix(size)
        let end = rows.count > size ? page.last : nil
        return ListCodeMappingsResponse(
            codeMappings: page.map(CodeMapping.init),
            nextPageToken: end.map { $0.rank.pageToken(pageFilter).text } ?? ""
        )
    }
}

extension MappingRank {
    /// The place in the order, not a row, so that a mapping that has gone leaves no hole.
    fileprivate init(_ token: PageToken) {
        let flags = token.anchor.prefix(2)
        self.init(
            isAutomatic: flags.first == "a", isRelative: flags.last == "r",
            byteCount: Int64(token.anchor.dropFirst(2)) ?? 0, id: token.position
        )
    }

    fileprivate func pageToken(_ filter: PageFilter) -> PageToken {
        PageToken(
            filter: filter, position: id, anchor: "\(isAutomatic ? "a" : "u")\(isRelative ? "r" : "/")\(byteCount)"
        )
    }
}
