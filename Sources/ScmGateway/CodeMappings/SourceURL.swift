import Foundation

/// The branch and path in the web address of a file.
struct SourceURL: Sendable, Hashable {
    let branch: String
    let path: String

    /// - Parameters:
    ///   - url: Address of the file's page.
    ///   - repositoryURL: Address of the repository's page.
    ///   - branches: Names that a branch with `/` in it is recognised by; else a branch ends at its first `/`.
    /// - Returns: nil when the address is none of a file of that repository.
    init?(_ url: String, repositoryURL: String, branches: [String] = []) {
        let base = repositoryURL.hasSuffix("/") ? String(repositoryURL.dropLast()) : repositoryURL
        guard !base.isEmpty, url.hasPrefix(base) else { return nil }
        let page = url.dropFirst(base.count).prefix { $0 != "?" && $0 != "#" }
        guard let marker = ["/-/blob/", "/blob/", "/src/"].first(where: page.hasPrefix) else { return nil }
        guard let rest = String(page.dropFirst(marker.count)).removingPercentEncoding else { return nil }
        let known = branches.filter { rest.hasPrefix($0 + "/") }.max { $0.utf8.count < $1.utf8.count }
        let branch = known ?? String(rest.prefix { $0 != "/" })
        let path = String(rest.dropFirst(branch.count + 1))
        guard !branch.isEmpty, !path.isEmpty, !path.hasSuffix("/") else { return nil }
        self.branch = branch
        self.path = path
    }

    /// Whether a stack path, with either slash, can mean this file: they have the same name.
    func hasName(of stackPath: String) -> Bool {
        FramePath.slashes(stackPath).split(separator: "/").last == path.split(separator: "/").last
    }
}
