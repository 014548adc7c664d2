import RPC
import ScmAPI

extension ScmGatewayService {
    public func checkFile(_ request: CheckFileRequest, context: CallContext) async throws -> CheckFileResponse {
        try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { _, repository in
            let path = try RepositoryPath(text: request.path, raw: request.rawPath)
            let commit = try await repository.resolve(request.ref.isEmpty ? nil : try Revision(request.ref))
            let entry = try await repository.entry(path, at: commit)
            return CheckFileResponse(
                exists: entry.map { !$0.isDirectory } ?? false, entry: entry.map(TreeEntry.init), commitSHA: commit.hex
            )
        }
    }
}
