import RPC
import ScmAPI

extension ScmGatewayService {
    public func checkFile(_ request: CheckFileRequest, context: CallContext) async throws -> CheckFileResponse {
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { row, repository in
            let path = try RepositoryPath(text: request.path, raw: request.rawPath)
            let commit = try await repository.resolve(request.ref.isEmpty ? nil : try Revision(request.ref))
            let entry = try await repository.entry(path, at: commit)
            let exists = entry.map { !$0.isDirectory } ?? false
            return CheckFileResponse(
                exists: exists, url: exists ? row.page(PathText(path.bytes), at: commit.hex, line: 0) : "",
                entry: entry.map(TreeEntry.init), commitSHA: commit.hex
            )
        }
    }
}
