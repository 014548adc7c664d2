import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    private static let maximumAddressByteCount = 8192
    /// Most parts of a path that may belong to a branch's name.
    private static let maximumBranchDepth = 20

    public func parseCodeMapping(
        _ request: ParseCodeMappingRequest, context: CallContext
    ) async throws -> ParseCodeMappingResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard !request.stackPath.isEmpty, request.stackPath.utf8.count <= Self.maximumAddressByteCount else {
            throw RPCError.badField("stack_path", "1 to \(Self.maximumAddressByteCount) bytes")
        }
        guard request.sourceURL.contains("://"), request.sourceURL.utf8.count <= Self.maximumAddressByteCount else {
            throw RPCError.badField("source_url", "not an absolute web address")
        }
        let (row, address) = try await repository(ofPage: request.sourceURL, organizationID: organizationID)
        guard address.hasName(of: request.stackPath) else {
            throw RPCError.badField("source_url", "the address is of a file with another name than stack_path")
        }
        let roots: MappingRoots
        do {
            roots = try MappingRoots(
                raw: request.stackPath, file: address.path, package: Self.package(request.stackPath, request.platform)
            )
        } catch {
            throw RPCError(
                .failedPrecondition, .stackRootMismatch, "no pair of roots turns the stack path into the file's path"
            )
        }
        return ParseCodeMappingResponse(
            repositoryID: row.id, provider: ProviderSlug.provider(column: row.provider), stackRoot: roots.stack,
            sourceRoot: roots.source, defaultBranch: address.branch
        )
    }

    /// The folders that belong together: of a platform whose frames are modules all of the package.
    private static func package(_ path: String, _ platform: String) -> String? {
        guard StackPlatform(platform)?.usesModules == true else { return nil }
        let folders = FramePath.slashes(path).split(separator: "/").dropLast()
        return folders.isEmpty ? nil : folders.prefix(FramePath.maximumPackageDepth).joined(separator: "/")
    }

    /// The repository whose page an address is below, with the branch and the file in it.
    private func repository(
        ofPage url: String, organizationID: Int64
    ) async throws -> (StoredRepository, SourceURL) {
        var filter = RepositoryFilter(organizationID: organizationID)
        filter.statuses = [.active]
        let complete = filter
        let rows = try await mappingStorageErrors {
            try await self.database.read { try complete.rows(after: 0, limit: 10_000, $0) }
        }
        for row in rows {
            for base in row.pages where SourceURL(url, repositoryURL: base) != nil {
                let branches = await branches(in: url, of: row, base)
                if let address = SourceURL(url, repositoryURL: base, branches: branches) { return (row, address) }
            }
        }
        throw RPCError(
            .notFound, .repositoryNotFound, "no repository of the organization has a page that the address is a file of"
        )
    }

    /// Which beginnings of what follows the marker are branches: names may hold `/`.
    private func branches(in url: String, of row: StoredRepository, _ base: String) async -> [String] {
        guard let first = SourceURL(url, repositoryURL: base), let repository = try? await repository(row) else {
            return []
        }
        var name = first.branch
        var branches: [String] = []
        for part in first.path.split(separator: "/").dropLast().prefix(Self.maximumBranchDepth) {
            name += "/\(part)"
            if let revision = try? Revision("refs/heads/\(name)"), (try? await repository.resolve(revision)) != nil {
                branches.append(name)
            }
        }
        return branches
    }
}
