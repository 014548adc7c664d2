import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    private static let maximumCheckNameCount = 100
    private static let maximumSummaryCount = 65_535
    private static let maximumCheckCount = 1000

    /// git itself has no checks: those of local repositories are rows of ours.
    public func createStatusCheck(_ request: CreateStatusCheckRequest, context: CallContext) async throws -> StatusCheck
    {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        var check = request.statusCheck ?? StatusCheck()
        try Self.check(check)
        let memory = request.requestID.isEmpty
            ? nil
            : try IdempotentRequest(
                method: "CreateStatusCheck", requestID: request.requestID, organizationID: organizationID,
                body: [check.serializedBytes().map { String($0, radix: 16) }.joined(separator: " ")]
            )
        let row = try await activeRepository(
            check.repositoryID, organizationID: organizationID, field: "status_check.repository_id"
        )
        check.sha = try await fullID(check.sha, of: row, field: "status_check.sha")
        check.unknownFields = UnknownFields()
        let answer = try await once(memory) { [check] transaction in
            try StatusCheckRows.put(check, limit: Self.maximumCheckCount, transaction)
        }
        noteRepositoryChange("check reported", row.id, organizationID: organizationID, context)
        return answer
    }

    public func listStatusChecks(
        _ request: ListStatusChecksRequest, context: CallContext
    ) async throws -> ListStatusChecksResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        let size = min(try PageSize.check(request.pageSize), 100)
        let row = try await activeRepository(request.repositoryID, organizationID: organizationID)
        guard request.name.unicodeScalars.count <= Self.maximumCheckNameCount, !request.name.utf8.contains(0) else {
            throw RPCError.badField("name", "at most \(Self.maximumCheckNameCount) characters and no NUL")
        }
        let filter = try PageFilter("ListStatusChecks", ["\(row.id)", request.sha, request.name])
        let after = try PageToken.parse(request.pageToken, filter: filter)?.anchor ?? ""
        guard !after.utf8.contains(0) else { throw RPCError.badField("page_token", "not a page token of this service") }
        let sha = try await fullID(request.sha, of: row, field: "sha")
        let found = try await mappingStorageErrors {
            try await self.database.read { transaction in
                try StatusCheckRows.list(row.id, sha, name: request.name, after: after, limit: size + 1, transaction)
            }
        }
        let page = Array(found.prefix(size))
        let end = found.count > size ? page.last : nil
        return ListStatusChecksResponse(
            statusChecks: page,
            nextPageToken: end.map { PageToken(filter: filter, position: 0, anchor: $0.name).text } ?? ""
        )
    }

    /// The commit's full id: a check belongs to a commit, not to a branch.
    private func fullID(_ sha: String, of row: StoredRepository, field: String) async throws -> String {
        guard let id = ObjectID(sha) else {
            throw RPCError.badField(field, "a full object id in lower case is required")
        }
        return try await mappingGitErrors(GitFields(revision: field, missingRevision: .commitNotFound)) {
            try await self.repository(row).resolve(try Revision(id.hex)).hex
        }
    }

    private static func check(_ check: StatusCheck) throws(RPCError) {
        try IssueRules.checkLine(check.name, "status_check.name", 1...maximumCheckNameCount)
        guard [.pending, .running, .completed].contains(check.status) else {
            throw RPCError.badField("status_check.status", "a status of the contract is required")
        }
        let hasConclusion = check.conclusion != .unspecified
        guard hasConclusion == (check.status == .completed), (0...7).contains(check.conclusion.rawValue) else {
            throw RPCError.badField("status_check.conclusion", "set when, and only when, the check is completed")
        }
        try IssueRules.checkLine(check.title, "status_check.title", 0...IssueRules.maximumTitleCount)
        guard check.summary.utf8.count <= maximumSummaryCount * 4,
            check.summary.unicodeScalars.count <= maximumSummaryCount
        else {
            throw RPCError.badField("status_check.summary", "at most \(maximumSummaryCount) characters are allowed")
        }
        try IssueRules.checkLine(check.externalID, "status_check.external_id", 0...IssueRules.maximumTitleCount)
        try IssueRules.checkLine(check.detailsURL, "status_check.details_url", 0...2048)
        let schemes = ["http://", "https://"]
        guard check.detailsURL.isEmpty || schemes.contains(where: { check.detailsURL.lowercased().hasPrefix($0) })
        else {
            throw RPCError.badField("status_check.details_url", "an http or https address")
        }
        for (time, name) in [(check.startedAt, "started_at"), (check.completedAt, "completed_at")] {
            guard time?.isValid != false else {
                throw RPCError.badField("status_check.\(name)", "not a valid timestamp")
            }
        }
    }
}

/// The statements on the table of status checks.
enum StatusCheckRows {
    /// The same repository, commit and name replace the check before.
    ///
    /// - Throws: RESOURCE_EXHAUSTED when the commit has `limit` other checks.
    static func put(_ check: StatusCheck, limit: Int, _ transaction: WriteTransaction) throws -> StatusCheck {
        var check = check
        check.id = ""
        let key: [SQLValue] = [.integer(check.repositoryID), .text(check.sha)]
        let others = try transaction.row(
            "SELECT COUNT(*) AS count FROM status_checks WHERE repository_id = ? AND sha = ? AND name <> ?",
            key + [.text(check.name)]
        )?.integer("count") ?? 0
        guard others < limit else {
            throw RPCError(
                .resourceExhausted, .limitReached, "the commit has maximumCheckCount (\(limit)) checks",
                facts: ["limit": "maximumCheckCount"]
            )
        }
        let row = try transaction.row(
            """
            INSERT INTO status_checks (repository_id, sha, name, content) VALUES (?, ?, ?, ?)
            ON CONFLICT (repository_id, sha, name) DO UPDATE SET content = excluded.content RETURNING id, content
            """,
            key + [.text(check.name), .blob(check.serializedBytes())]
        )
        guard let row else { throw RepositoryStoreError("the check was not stored") }
        return try StatusCheck(row)
    }

    static func list(
        _ repositoryID: Int64, _ sha: String, name: String, after: String, limit: Int, _ transaction: ReadTransaction
    ) throws -> [StatusCheck] {
        let named = name.isEmpty ? "" : "AND name = ?"
        return try transaction.rows(
            """
            SELECT id, content FROM status_checks WHERE repository_id = ? AND sha = ? AND name > ? \(named)
            ORDER BY name LIMIT ?
            """,
            [.integer(repositoryID), .text(sha), .text(after)] + (name.isEmpty ? [] : [.text(name)])
                + [.integer(Int64(limit))]
        ).map(StatusCheck.init)
    }
}

extension StatusCheck {
    fileprivate init(_ row: SQLRow) throws {
        try self.init(serializedBytes: try row.blob("content"))
        id = "\(try row.integer("id"))"
    }
}
