import FrameCodec
import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    /// `range_start` and `range_end` are the part of the run that is known: at least the line itself, the whole run
    /// when the whole file has been blamed before. (Blaming more lines than asked costs up to a whole history.)
    public func getCommitContext(
        _ request: GetCommitContextRequest,
        context: CallContext
    ) async throws -> CommitContext {
        let options = try LineOptions(request)
        guard request.lineNumber >= 1 else { throw RPCError.badField("line_number", "lines count from 1") }
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        return try await honouringNoStore(context) {
            let wanted = try await lineRequest(request, organizationID: organizationID)
            let row = try await activeRepository(wanted.repositoryID, organizationID: organizationID)
            return try await mappingGitErrors(GitFields(revision: "commit_sha", path: "filepath")) {
                try await answer(wanted, options, row)
            }
        }
    }

    private func answer(
        _ wanted: LineRequest, _ options: LineOptions, _ row: StoredRepository
    ) async throws -> CommitContext {
        let repository = try await self.repository(row)
        let path = try wanted.path
        let commit = try await repository.resolve(try wanted.revision)
        let query = try await BlameRequest.query(path, at: commit, options.blame, repository)
        let answer: LineAnswer
        if options.radius == nil {
            answer = try await repository.answer(wanted.line, query)
        } else {
            // The file is read while git works on the blame.
            async let snippet = repository.snippet(path, line: wanted.line, at: commit)
            var found = try await repository.answer(wanted.line, query)
            found.snippet = try await snippet
            answer = found
        }
        try options.checkAge(of: answer.commit)
        return CommitContext(wanted, options, row, answer, at: commit)
    }

    private func lineRequest(
        _ request: GetCommitContextRequest, organizationID: Int64
    ) async throws -> LineRequest {
        var wanted = LineRequest(request)
        guard request.codeMappingID != 0 else { return wanted }
        try wanted.complete(from: try await codeMapping(request.codeMappingID, organizationID: organizationID))
        return wanted
    }
}

/// One line to blame, as a caller names it.
struct LineRequest: Hashable, Sendable {
    var repositoryID: Int64
    let text: String
    let rawPath: [UInt8]
    let line: Int
    /// Empty for the mapping's branch.
    let ref: String
    let codeMappingID: Int64
    /// Empty for the repository's.
    private(set) var branch = ""

    init(_ request: GetCommitContextRequest) {
        repositoryID = request.repositoryID
        (text, rawPath, line) = (request.filepath, request.rawPath, Int(request.lineNumber))
        (ref, codeMappingID) = (request.commitSHA, request.codeMappingID)
    }

    /// - Parameter repositoryID: of lines that name none, nor a mapping.
    init(_ line: BlameLine, repositoryID: Int64) {
        let isNamed = line.repositoryID != 0 || line.codeMappingID != 0
        self.repositoryID = isNamed ? line.repositoryID : repositoryID
        (text, rawPath, self.line) = (line.path, line.rawPath, Int(line.line))
        (ref, codeMappingID) = (line.ref, line.codeMappingID)
    }

    /// Takes repository and branch from the mapping.
    ///
    /// - Throws: INVALID_ARGUMENT when the line names another repository.
    mutating func complete(from mapping: StoredCodeMapping) throws(RPCError) {
        guard repositoryID == 0 || repositoryID == mapping.repositoryID else {
            throw RPCError.badField("code_mapping_id", "the mapping leads to another repository")
        }
        repositoryID = mapping.repositoryID
        branch = mapping.defaultBranch
    }

    var path: RepositoryPath { get throws(GitError) { try RepositoryPath(text: text, raw: rawPath) } }

    /// nil for the repository's default branch.
    var revision: Revision? {
        get throws(GitError) {
            let name = ref.isEmpty ? branch : ref
            return name.isEmpty ? nil : try Revision(name)
        }
    }
}

/// How lines are blamed, and what is told of them.
struct LineOptions: Sendable {
    /// nil: no snippet.
    let radius: Int?
    /// nil: any age.
    let maximumAgeDays: Int64?
    let blame: BlameOptions?

    init(_ request: GetCommitContextRequest) throws(RPCError) {
        var options = request.options
        if request.followIgnoreRevs {
            options = options ?? BlameOptions()
            options?.followIgnoreRevs = true
        }
        try self.init(
            maxAgeDays: request.maxAgeDays, includeSnippet: request.includeSnippet, radius: request.snippetRadius,
            options
        )
    }

    /// - Throws: INVALID_ARGUMENT for a radius that is too wide.
    init(maxAgeDays: Int32, includeSnippet: Bool, radius: Int32, _ blame: BlameOptions?) throws(RPCError) {
        guard (0...Snippet.maximumRadius).contains(Int(radius)) else {
            throw RPCError.badField("snippet_radius", "0 to \(Snippet.maximumRadius)")
        }
        self.radius = includeSnippet ? Int(radius) : nil
        maximumAgeDays =
            switch maxAgeDays {
            case 0: 365
            case ..<0: nil
            default: Int64(maxAgeDays)
            }
        self.blame = blame
    }

    /// - Throws: NOT_FOUND (COMMIT_TOO_OLD) unless the commit is strictly newer than now minus the longest age.
    func checkAge(of commit: CommitObject) throws(RPCError) {
        guard let maximumAgeDays, let committed = commit.committer.seconds,
            commit.ageSeconds >= maximumAgeDays * 86_400
        else { return }
        throw RPCError(
            .notFound, .commitTooOld, "the line's commit is older than max_age_days (\(maximumAgeDays))",
            facts: [
                "sha": commit.id.hex,
                "committedAt": Protobuf.Timestamp(gitSeconds: committed).map(RFC3339.text) ?? "",
            ]
        )
    }
}

extension CommitObject {
    /// Since it was committed; 0 for one that is dated in the future or has no date.
    var ageSeconds: Int64 {
        guard let committed = committer.seconds else { return 0 }
        let (seconds, overflow) = (EpochTime.now / 1000).subtractingReportingOverflow(committed)
        return overflow ? 0 : max(0, seconds)
    }
}

/// Where a line comes from: its run, the run's commit, the lines around it.
struct LineAnswer: Sendable {
    let hunk: GitBlameHunk
    let commit: CommitObject
    var snippet: Snippet?
}

extension SourceRepository {
    func answer(_ line: Int, _ query: BlameQuery) async throws -> LineAnswer {
        try await answer(try await blameLine(line, query))
    }

    func answer(_ hunk: GitBlameHunk) async throws -> LineAnswer {
        guard let found = try await commits([hunk.commit]).first else {
            throw GitError.revisionNotFound(hunk.commit.hex)
        }
        return LineAnswer(hunk: hunk, commit: found)
    }
}

extension CommitContext {
    init(
        _ wanted: LineRequest, _ options: LineOptions, _ row: StoredRepository, _ answer: LineAnswer, at ref: ObjectID
    ) {
        let part = options.radius.flatMap { radius in answer.snippet?.around(wanted.line, radius: radius) }
        let (hunk, commit) = (answer.hunk, answer.commit)
        self.init(
            repositoryID: row.id,
            commitID: wanted.ref.isEmpty ? ref.hex : wanted.ref,
            filename: wanted.text,
            lineNumber: Int32(clamping: wanted.line),
            blameCommitID: hunk.commit.hex,
            blameAuthor: CommitAuthor(commit.author),
            codeSnippet: part?.text ?? "",
            commit: Commit(commit, in: row),
            committedAt: Protobuf.Timestamp(gitSeconds: commit.committer.seconds),
            refUsed: ref.hex,
            codeMappingID: wanted.codeMappingID,
            rangeStart: Int32(clamping: hunk.line),
            rangeEnd: Int32(clamping: hunk.line + hunk.lineCount - 1),
            ageDays: Int32(clamping: commit.ageSeconds / 86_400),
            snippetStartLine: Int32(clamping: part?.firstLine ?? 0),
            originalLine: Int32(clamping: hunk.originalLine + (wanted.line - hunk.line)),
            originalPath: PathText(hunk.originalPath).text,
            boundary: hunk.isBoundary
        )
    }
}
