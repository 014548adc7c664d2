import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    public func listRepositories(
        _ request: ListRepositoriesRequest,
        context: CallContext
    ) async throws -> ListRepositoriesResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        if request.integrationID != 0 {
            try await checkInstalled(request.integrationID, organizationID: organizationID)
            return ListRepositoriesResponse()
        }
        let filter = try Self.filter(request, organizationID: organizationID)
        let size = try PageSize.check(request.pageSize)
        let pageFilter = try Self.pageFilter(request, organizationID: organizationID)
        let after = try PageToken.parse(request.pageToken, filter: pageFilter)?.position ?? 0
        let includesTotal = request.includeTotalSize
        let key = RepositoryPages.Key(organizationID: organizationID, request: request.serializedBytes())
        let read: @Sendable (ReadTransaction) throws -> ListRepositoriesResponse = { transaction in
            // One more than the page tells whether there is another page.
            let rows = try filter.rows(after: after, limit: size + 1, transaction)
            let page = rows.prefix(size)
            let last = rows.count > size ? page.last : nil
            return ListRepositoriesResponse(
                repositories: page.map(Repository.init),
                nextPageToken: last.map { PageToken(filter: pageFilter, position: $0.id).text } ?? "",
                totalSize: Int32(clamping: includesTotal ? try filter.count(transaction) : 0)
            )
        }
        return try await honouringNoStore(context) {
            try await mappingStorageErrors { try await self.pages.page(key, read: read) }
        }
    }

    private static let maximumExternalIDCount = 1000
    /// More than there are statuses, so that every sensible request fits.
    private static let maximumStatusCount = 16

    private static func filter(
        _ request: ListRepositoriesRequest,
        organizationID: Int64
    ) throws(RPCError) -> RepositoryFilter {
        guard request.externalIDs.count <= maximumExternalIDCount else {
            throw RPCError.badField("external_ids", "at most \(maximumExternalIDCount) are allowed")
        }
        guard request.statuses.count <= maximumStatusCount else {
            throw RPCError.badField("statuses", "at most \(maximumStatusCount) are allowed")
        }
        guard request.query.utf8.count <= LocalFolder.maximumNameCount * 4 else {
            throw RPCError.badField("query", "longer than any name (\(LocalFolder.maximumNameCount) characters)")
        }
        guard !request.query.utf8.contains(0) else { throw RPCError.badField("query", "no NUL is allowed") }
        guard !request.externalIDs.contains(where: { $0.utf8.contains(0) }) else {
            throw RPCError.badField("external_ids", "no NUL is allowed")
        }
        var filter = RepositoryFilter(organizationID: organizationID)
        if request.provider != .unspecified { filter.provider = ProviderSlug.column(request.provider) }
        if !request.statuses.isEmpty {
            filter.statuses = try request.statuses.map { status throws(RPCError) in
                guard let known = StoredRepository.Status(rawValue: Int64(status.rawValue)), known != .pendingDeletion
                else { throw RPCError.badField("statuses", "there is no repository status \(status.rawValue)") }
                return known
            }
        }
        filter.nameContains = request.query
        filter.externalIDs = request.externalIDs
        filter.updatedSince = try request.updatedSince.map { time throws(RPCError) in
            guard time.isValid else { throw RPCError.badField("updated_since", "not a valid timestamp") }
            return time.seconds * 1000 + Int64(time.nanos) / 1_000_000
        }
        return filter
    }

    private static func pageFilter(_ request: ListRepositoriesRequest, organizationID: Int64) throws(RPCError)
        -> PageFilter
    {
        let time = request.updatedSince.map { "\($0.seconds).\($0.nanos)" } ?? ""
        return try PageFilter(
            "ListRepositories",
            ["\(organizationID)", "\(request.provider.rawValue)", request.query, time]
                + request.statuses.map { "\($0.rawValue)" } + ["external ids"] + request.externalIDs
        )
    }
}
