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
        let wanted = try LineRequest(request)
        let fields = GitFields(revision: "commit_sha", path: "filepath")
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: fields
        ) { row, repository in
            let path = try RepositoryPath(text: request.filepath, raw: request.rawPath)
            let revision = request.commitSHA.isEmpty ? nil : try Revision(request.commitSHA)
            let commit = try await repository.resolve(revision)
            let query = try await BlameRequest.query(path, at: commit, wanted.options, repository)
            guard wanted.radius != nil else {
                let (hunk, found, age) = try await wanted.blame(query, repository)
                return CommitContext(wanted, request, row, hunk, found, age, ref: commit, snippet: nil)
            }
            // The file is read while git works on the blame.
            async let snippet = repository.snippet(path, line: wanted.line, at: commit)
            let (hunk, found, age) = try await wanted.blame(query, repository)
            return CommitContext(wanted, request, row, hunk, found, age, ref: commit, snippet: try await snippet)
        }
    }
}

/// The checked parts of a GetCommitContext request.
struct LineRequest {
    let line: Int
    /// nil: no snippet.
    let radius: Int?
    /// nil: any age.
    let maximumAgeDays: Int64?
    let options: BlameOptions?

    init(_ request: GetCommitContextRequest) throws(RPCError) {
        guard request.codeMappingID == 0 else {
            throw RPCError(.notFound, .codeMappingNotFound, "there is no such code mapping in this organization")
        }
        guard request.lineNumber >= 1 else { throw RPCError.badField("line_number", "lines count from 1") }
        guard (0...Snippet.maximumRadius).contains(Int(request.snippetRadius)) else {
            throw RPCError.badField("snippet_radius", "0 to \(Snippet.maximumRadius)")
        }
        line = Int(request.lineNumber)
        radius = request.includeSnippet ? Int(request.snippetRadius) : nil
        maximumAgeDays =
            switch request.maxAgeDays {
            case 0: 365
            case ..<0: nil
            default: Int64(request.maxAgeDays)
            }
        var options = request.options
        if request.followIgnoreRevs {
            options = options ?? BlameOptions()
            options?.followIgnoreRevs = true
        }
        self.options = options
    }

    /// Where the line comes from: its run, the run's commit, and that commit's age in days.
    fileprivate func blame(
        _ query: BlameQuery, _ repository: LocalGitRepository
    ) async throws -> (GitBlameHunk, CommitObject, Int32) {
        let hunk = try await repository.blameLine(line, query)
        guard let found = try await repository.commits([hunk.commit]).first else {
            throw GitError.revisionNotFound(hunk.commit.hex)
        }
        return (hunk, found, try age(of: found))
    }

    /// Whole days since the commit; 0 for one that is dated in the future or has no date.
    ///
    /// - Throws: NOT_FOUND (COMMIT_TOO_OLD) unless the commit is strictly newer than now minus the longest age.
    func age(of commit: CommitObject, now: Int64 = EpochTime.now) throws(RPCError) -> Int32 {
        guard let committed = commit.committer.seconds else { return 0 }
        let (seconds, overflow) = (now / 1000).subtractingReportingOverflow(committed)
        guard !overflow, seconds > 0 else { return 0 }
        if let maximumAgeDays, seconds >= maximumAgeDays * 86_400 {
            throw RPCError(
                .notFound, .commitTooOld, "the line's commit is older than max_age_days (\(maximumAgeDays))",
                facts: [
                    "sha": commit.id.hex,
                    "committedAt": Protobuf.Timestamp(gitSeconds: committed).map(RFC3339.text) ?? "",
                ]
            )
        }
        return Int32(clamping: seconds / 86_400)
    }
}

extension CommitContext {
    fileprivate init(
        _ wanted: LineRequest,
        _ request: GetCommitContextRequest,
        _ row: StoredRepository,
        _ hunk: GitBlameHunk,
        _ commit: CommitObject,
        _ age: Int32,
        ref: ObjectID,
        snippet: Snippet?
    ) {
        let part = wanted.radius.flatMap { radius in snippet?.around(wanted.line, radius: radius) }
        self.init(
            repositoryID: row.id,
            commitID: request.commitSHA.isEmpty ? ref.hex : request.commitSHA,
            filename: request.filepath,
            lineNumber: request.lineNumber,
            blameCommitID: hunk.commit.hex,
            blameAuthor: CommitAuthor(commit.author),
            codeSnippet: part?.text ?? "",
            commit: Commit(commit, repositoryID: row.id),
            committedAt: Protobuf.Timestamp(gitSeconds: commit.committer.seconds),
            refUsed: ref.hex,
            rangeStart: Int32(clamping: hunk.line),
            rangeEnd: Int32(clamping: hunk.line + hunk.lineCount - 1),
            ageDays: age,
            snippetStartLine: Int32(clamping: part?.firstLine ?? 0),
            originalLine: Int32(clamping: hunk.originalLine + (wanted.line - hunk.line)),
            originalPath: PathText(hunk.originalPath).text,
            boundary: hunk.isBoundary
        )
    }
}
