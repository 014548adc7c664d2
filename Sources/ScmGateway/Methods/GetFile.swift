import RPC
import ScmAPI

extension ScmGatewayService {
    /// Longest piece of a file in one message, in bytes.
    private static let maximumFilePartByteCount = 256 * 1024

    public func getFile(
        _ request: GetFileRequest, responses: ResponseWriter<GetFileResponse>, context: CallContext
    ) async throws {
        guard request.offset >= 0 else { throw RPCError.badField("offset", "an offset is not negative") }
        guard request.length >= 0 else { throw RPCError.badField("length", "a length is not negative") }
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { row, repository in
            let path = try RepositoryPath(text: request.path, raw: request.rawPath)
            let commit = try await repository.resolve(request.ref.isEmpty ? nil : try Revision(request.ref))
            guard let entry = try await repository.entry(path, at: commit) else {
                throw GitError.fileNotFound(path: path.text)
            }
            let range = try Self.range(request, of: entry)
            try context.answering(version: entry.id)
            try await repository.read(entry, range) { isBinary in
                let metadata = FileMetadata(
                    entry: TreeEntry(entry), commitSHA: commit.hex, binary: isBinary,
                    url: row.page(PathText(entry.path), at: commit.hex, line: 0)
                )
                try await responses.send(GetFileResponse(part: .metadata(metadata)))
            } deliver: { bytes in
                for start in stride(from: 0, to: bytes.count, by: Self.maximumFilePartByteCount) {
                    let end = min(start + Self.maximumFilePartByteCount, bytes.count)
                    try await responses.send(GetFileResponse(part: .data(Array(bytes[start..<end]))))
                }
            }
        }
    }

    private static func range(_ request: GetFileRequest, of entry: GitTreeEntry) throws(RPCError) -> Range<Int> {
        guard !entry.isDirectory, !entry.isSubmodule else {
            throw RPCError(
                .failedPrecondition, .fileNotFound,
                "the path is a \(entry.isDirectory ? "directory" : "submodule"), not a file"
            )
        }
        // The entry is there and its object is not: a damaged repository, or a partial clone.
        guard let byteCount = entry.byteCount else {
            throw RPCError(.failedPrecondition, .repositoryUnreadable, "the repository lacks the file's content")
        }
        guard request.offset <= byteCount else {
            throw RPCError(.outOfRange, .badRequest, "offset: the file ends after \(byteCount) bytes")
        }
        let start = Int(request.offset)
        let rest = byteCount - start
        return start..<(request.length == 0 ? byteCount : start + Int(min(request.length, Int64(rest))))
    }
}
