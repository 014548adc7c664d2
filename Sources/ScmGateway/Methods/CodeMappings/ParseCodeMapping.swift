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
            roots = try MappingRoots(raw: request.stackPath, file: address.path)
        } catch {
            throw RPCError(
                .failedPrecondition, .stackRootMismatch, "no pair of roots turns the stack path into the file's path"
            )
        }
        return ParseCodeMappingResponse(
            repositoryID: row.id, provider: .localGit, stackRoot: roots.stack, sourceRoot: roots.source,
            defaultBranch: address.branch
        )
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

extension StoredRepository {
    /// Addresses that pages of the repository's files begin with.
    var pages: [String] { [config["web_url"] ?? "", url].filter { !$0.isEmpty } }

    /// The page of a file for people; empty when the repository has no web address.
    func page(_ path: String, at revision: String, line: Int32) -> String {
        guard let base = config["web_url"], !base.isEmpty else { return "" }
        let trimmed = base.hasSuffix("/") ? String(base.dropLast()) : base
        let place = line > 0 ? "#L\(line)" : ""
        return "\(trimmed)/blob/\(URLPath.encode(revision))/\(URLPath.encode(path))\(place)"
    }
}

/// Paths inside web addresses.
enum URLPath {
    /// Percent-encodes everything but letters, digits, `/`, `@` and the unreserved marks (RFC 3986 section 2.3).
    static func encode(_ path: String) -> String {
        var text = ""
        for byte in path.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"), UInt8(ascii: "@"), UInt8(ascii: "-"),
                UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                text.unicodeScalars.append(UnicodeScalar(byte))
            default:
                let digits = String(byte, radix: 16, uppercase: true)
                text += digits.utf8.count == 1 ? "%0\(digits)" : "%\(digits)"
            }
        }
        return text
    }
}
