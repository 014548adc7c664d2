import RPC
import ScmAPI
import Synchronization

extension ScmGatewayService {
    private static let standardStreamedFileCount = 1000
    private static let maximumStreamedFileCount = 100_000

    public func streamSearchCode(
        _ request: StreamSearchCodeRequest, responses: ResponseWriter<StreamSearchCodeResponse>, context: CallContext
    ) async throws {
        var wanted = request.search ?? SearchCodeRequest()
        (wanted.pageSize, wanted.pageToken) = (0, "")
        let organizationID = try authorise(context, .read, organizationID: wanted.organizationID)
        if wanted.integrationID != 0 {
            throw try await unservedIntegration(wanted.integrationID, organizationID: organizationID)
        }
        let search = try CodeSearchRequest(wanted)
        guard (0...Self.maximumStreamedFileCount).contains(Int(request.maxFiles)) else {
            throw RPCError.badField("max_files", "0 to \(Self.maximumStreamedFileCount)")
        }
        let limit = request.maxFiles == 0 ? Self.standardStreamedFileCount : Int(request.maxFiles)
        let repositories = SearchedRepositories(service: self, organizationID: organizationID, search: search)
        let output = SearchStream(limit: limit, responses: responses)
        let isComplete = try await honouringNoStore(context) { try await send(repositories, to: output) }
        try await responses.send(StreamSearchCodeResponse(incomplete: !isComplete))
    }

    /// - Returns: whether all repositories were searched to their ends.
    private func send(_ repositories: SearchedRepositories, to output: SearchStream) async throws -> Bool {
        var place = SearchPlace()
        var isCut = false
        while !isCut, let target = try await repositories.next(&place) {
            do {
                isCut = try await !mappingGitErrors(Self.searchFields) {
                    try await target.repository.search(target.query) { files in
                        try await output.send(files, of: target)
                    }
                }
                place.leave(target.row.id, isIncomplete: false)
            } catch let error as RPCError where repositories.search.repositoryID == nil && error.isOfOneRepository {
                place.leave(target.row.id, isIncomplete: true)
            }
        }
        return !isCut && !place.isIncomplete
    }
}

/// Matches as messages of bounded size.
private final class SearchStream: Sendable {
    private static let maximumMessageByteCount = 512 * 1024
    private let limit: Int
    private let responses: ResponseWriter<StreamSearchCodeResponse>
    private let count = Mutex(0)

    init(limit: Int, responses: ResponseWriter<StreamSearchCodeResponse>) {
        (self.limit, self.responses) = (limit, responses)
    }

    /// - Returns: whether there is room for more. The file that finds no room is proof that there is one.
    func send(_ files: [(file: FoundFile, blob: ObjectID)], of target: SearchTarget) async throws -> Bool {
        let room = count.withLock { count in
            defer { count += files.count }
            return max(0, limit - count)
        }
        var message = StreamSearchCodeResponse()
        var byteCount = 0
        for (file, blob) in files.prefix(room) {
            if byteCount > 0, byteCount + file.byteCount > Self.maximumMessageByteCount {
                try await responses.send(message)
                (message, byteCount) = (StreamSearchCodeResponse(), 0)
            }
            message.matches.append(
                CodeMatch(file, blob: blob, in: target.row, commit: target.query.commit)
            )
            byteCount += file.byteCount
        }
        if !message.matches.isEmpty { try await responses.send(message) }
        return files.count <= room
    }
}
