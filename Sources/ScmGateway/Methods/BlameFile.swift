import RPC
import ScmAPI
import Synchronization

extension ScmGatewayService {
    public func blameFile(
        _ request: BlameFileRequest,
        responses: ResponseWriter<BlameHunk>,
        context: CallContext
    ) async throws {
        guard request.startLine >= 0 else { throw RPCError.badField("start_line", "lines count from 1") }
        guard request.endLine >= 0 else { throw RPCError.badField("end_line", "lines count from 1") }
        guard request.endLine == 0 || request.endLine >= request.startLine else {
            throw RPCError.badField("end_line", "not before start_line")
        }
        let fields = GitFields(line: "start_line")
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: fields
        ) { _, repository in
            let path = try RepositoryPath(text: request.path, raw: request.rawPath)
            let commit = try await repository.resolve(request.ref.isEmpty ? nil : try Revision(request.ref))
            var query = try await BlameRequest.query(path, at: commit, request.options, repository)
            query.lines = Self.lines(request)
            let sent = SentCommits(isRemembering: request.omitRepeatedCommits)
            do {
                try await repository.blame(query) { hunks in
                    for hunk in hunks {
                        try await responses.send(BlameHunk(hunk, withCommit: sent.insert(hunk.commit)))
                    }
                }
            } catch GitError.noSuchLine where request.startLine <= 1 {
                // An empty file: it has no lines, and none before the first is missing.
            }
        }
    }

    /// nil for the whole file. git itself cuts an end that is beyond the file's.
    private static func lines(_ request: BlameFileRequest) -> ClosedRange<Int>? {
        guard request.startLine > 1 || request.endLine > 0 else { return nil }
        let end = request.endLine == 0 ? Int32.max : request.endLine
        return Int(max(1, request.startLine))...Int(end)
    }
}

/// Which commits a stream has described.
private final class SentCommits: Sendable {
    private let isRemembering: Bool
    private let ids = Mutex<Set<ObjectID>>([])

    init(isRemembering: Bool) {
        self.isRemembering = isRemembering
    }

    /// Whether the commit is to be described now.
    func insert(_ id: ObjectID) -> Bool {
        !isRemembering || ids.withLock { $0.insert(id).inserted }
    }
}
