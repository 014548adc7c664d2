import Foundation
import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    /// Local git repositories below the folders that the operator allows, by name, then by folder.
    public func searchRepositories(
        _ request: SearchRepositoriesRequest, context: CallContext
    ) async throws -> SearchRepositoriesResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        if request.integrationID != 0 {
            throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
        }
        guard request.provider == .unspecified || request.provider == .localGit else {
            throw RPCError(.unimplemented, .capabilityMissing, "this server serves local git repositories only")
        }
        guard request.query.utf8.count <= LocalFolder.maximumNameCount * 4 else {
            throw RPCError.badField("query", "longer than any name (\(LocalFolder.maximumNameCount) characters)")
        }
        let size = min(try PageSize.check(request.pageSize), 100)
        let filter = try PageFilter(
            "SearchRepositories", ["\(organizationID)", request.query, "\(request.provider.rawValue)"])
        let after = try PageToken.parse(request.pageToken, filter: filter)?.anchor ?? ""
        let roots = configuration.repositoryRoots
        let query = request.query.lowercased()
        let (found, isTruncated) = try await offLoop {
            var walk = FolderWalk()
            for root in roots { walk.visit(root) }
            let found = walk.repositories
                .map { (name: ($0 as NSString).lastPathComponent, folder: $0) }
                .filter { query.isEmpty || $0.name.lowercased().contains(query) }
                .map { (key: "\($0.name)\0\($0.folder)", name: $0.name, folder: $0.folder) }
                .filter { after.utf8.lexicographicallyPrecedes($0.key.utf8) }
                .sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
            return (Array(found.prefix(size + 1)), walk.isTruncated)
        }
        let page = found.prefix(size)
        let folders = page.map(\.folder)
        let branches = try await offLoop {
            folders.map { (try? RepositoryLocation.find($0)).map(LocalFolder.defaultBranch) ?? "" }
        }
        let known = try await mappingStorageErrors {
            try await self.database.read { transaction in
                try page.map {
                    try RepositoryRows.find(
                        externalID: $0.folder, organizationID: organizationID, transaction
                    )?.id ?? 0
                }
            }
        }
        let results = zip(page, zip(known, branches)).map { found, more in
            RepositoryHit(
                name: LocalFolder.shown(found.name), identifier: found.folder, externalID: found.folder,
                defaultBranch: more.1, repositoryID: more.0, private: true, provider: .localGit
            )
        }
        let next =
            found.count > size ? page.last.map { PageToken(filter: filter, position: 0, anchor: $0.key).text } : nil
        return SearchRepositoriesResponse(results: results, nextPageToken: next ?? "", truncated: isTruncated)
    }
}

/// Looks for git repositories in folders. Symbolic links are not followed, repositories are not looked into. Blocks on
/// the file system.
struct FolderWalk {
    static let maximumDepth = 6
    /// Folders looked at.
    static let maximumFolderCount = 100_000

    /// Absolute, symbolic links resolved; in no promised order.
    private(set) var repositories: Set<String> = []
    /// There may be more.
    private(set) var isTruncated = false
    private var folderCount = 0

    mutating func visit(_ root: String) {
        guard let real = RepositoryLocation.realPath(root) else { return }
        visit(real, depth: 0)
    }

    private mutating func visit(_ folder: String, depth: Int) {
        guard folderCount < Self.maximumFolderCount else {
            isTruncated = true
            return
        }
        folderCount += 1
        if (try? RepositoryLocation.find(folder)) != nil {
            repositories.insert(folder)
            return
        }
        guard depth < Self.maximumDepth else {
            isTruncated = true
            return
        }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        for name in names where Self.isFolder("\(folder)/\(name)") { visit("\(folder)/\(name)", depth: depth + 1) }
    }

    private static func isFolder(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
    }
}
