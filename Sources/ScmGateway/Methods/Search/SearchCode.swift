import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    private static let maximumSearchPageSize = 100
    /// Text of one page; a page that has more ends early.
    private static let maximumSearchPageByteCount = 1024 * 1024
    /// Repositories that one page may go through; then it ends, maybe empty.
    private static let maximumSearchedRepositoryCount = 100

    public func searchCode(_ request: SearchCodeRequest, context: CallContext) async throws -> SearchCodeResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        if request.integrationID != 0 {
            throw try await unservedIntegration(request.integrationID, organizationID: organizationID)
        }
        let search = try CodeSearchRequest(request)
        let size = min(try PageSize.check(request.pageSize), Self.maximumSearchPageSize)
        let filter = try CodeSearchRequest.pageFilter(request, organizationID: organizationID)
        let place = try PageToken.parse(request.pageToken, filter: filter).map(SearchPlace.init) ?? SearchPlace()
        let page = SearchPage(size: size, maximumByteCount: Self.maximumSearchPageByteCount)
        let repositories = SearchedRepositories(service: self, organizationID: organizationID, search: search)
        return try await honouringNoStore(context) { try await fill(page, from: repositories, place, filter) }
    }

    /// Goes from repository to repository until the page is full, or all are done.
    private func fill(
        _ page: SearchPage, from repositories: SearchedRepositories, _ place: SearchPlace, _ filter: PageFilter
    ) async throws -> SearchCodeResponse {
        var (page, place) = (page, place)
        let isOnly = repositories.search.repositoryID != nil
        for _ in 0..<Self.maximumSearchedRepositoryCount {
            guard let target = try await repositories.next(&place) else {
                return page.response(nextPageToken: "", incomplete: place.isIncomplete)
            }
            try await fill(&page, from: target, &place, isOnly: isOnly)
            if page.isFull { break }
        }
        let isDone = isOnly && place.isAtStart
        return page.response(
            nextPageToken: isDone ? "" : place.token(filter).text, incomplete: place.isIncomplete
        )
    }

    /// Takes from one repository until the page is full or the repository is done; then the place is behind it.
    private func fill(
        _ page: inout SearchPage, from target: SearchTarget, _ place: inout SearchPlace, isOnly: Bool
    ) async throws {
        while true {
            let found: FoundFiles
            do {
                found = try await mappingGitErrors(Self.searchFields) { [place] in
                    try await target.repository.searchRun(target.query, from: place.start)
                }
            } catch let error as RPCError where !isOnly && error.isOfOneRepository {
                place.leave(target.row.id, isIncomplete: true)
                return
            }
            // The last part tells how many there are.
            if isOnly, found.isComplete { page.totalCount = place.start + found.files.count }
            while place.offset < found.files.count {
                let (file, blob) = found.files[place.offset]
                guard page.append(
                        CodeMatch(file, blob: blob, in: target.row, commit: target.query.commit),
                        file.byteCount
                ) else { return }
                place.offset += 1
            }
            guard !found.isComplete else {
                place.leave(target.row.id, isIncomplete: false)
                return
            }
            place.start += found.files.count
            place.offset = 0
        }
    }

    static let searchFields = GitFields()
}

extension RPCError {
    /// The repository's state or kind is to blame: others can still be searched.
    var isOfOneRepository: Bool { code == .failedPrecondition || code == .unimplemented }
}

/// Matches collected for one answer.
private struct SearchPage {
    let size: Int
    let maximumByteCount: Int
    private var matches: [CodeMatch] = []
    private var byteCount = 0
    private(set) var isFull = false
    /// Files on all pages; 0 when not known.
    var totalCount = 0

    init(size: Int, maximumByteCount: Int) {
        (self.size, self.maximumByteCount) = (size, maximumByteCount)
    }

    /// - Returns: false when it does not fit; the first always does.
    mutating func append(_ match: @autoclosure () -> CodeMatch, _ byteCount: Int) -> Bool {
        guard matches.count < size, matches.isEmpty || self.byteCount + byteCount <= maximumByteCount else {
            isFull = true
            return false
        }
        matches.append(match())
        self.byteCount += byteCount
        return true
    }

    func response(nextPageToken: String, incomplete: Bool) -> SearchCodeResponse {
        SearchCodeResponse(
            matches: matches, nextPageToken: nextPageToken, totalEstimate: Int32(clamping: totalCount),
            incomplete: incomplete
        )
    }
}

/// Where a search goes on: in a repository behind some files, or behind a repository.
struct SearchPlace: Sendable {
    /// Repositories up to this id are done.
    private(set) var doneID: Int64 = 0
    /// The commit that is being searched; nil before a repository is begun.
    var commit: ObjectID?
    /// Files before the part that is being read.
    var start = 0
    /// Files of the part that were given.
    var offset = 0
    /// Something was left out, on this page or one before.
    private(set) var isIncomplete = false

    init() {}

    /// - Throws: INVALID_ARGUMENT for a token that this service did not make.
    init(_ token: PageToken) throws(RPCError) {
        let words = token.anchor.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 4, let start = Int32(words[0]), start >= 0, let offset = Int32(words[1]), offset >= 0,
            words[2].isEmpty || ObjectID(words[2]) != nil
        else { throw RPCError.badField("page_token", "not a page token of this service") }
        (doneID, self.start, self.offset) = (token.position, Int(start), Int(offset))
        commit = ObjectID(words[2])
        isIncomplete = words[3] == "i"
    }

    func token(_ filter: PageFilter) -> PageToken {
        let anchor = "\(start) \(offset) \(commit?.hex ?? "") \(isIncomplete ? "i" : "")"
        return PageToken(filter: filter, position: doneID, anchor: anchor)
    }

    var isAtStart: Bool { commit == nil }

    mutating func leave(_ repositoryID: Int64, isIncomplete: Bool) {
        doneID = repositoryID
        (commit, start, offset) = (nil, 0, 0)
        if isIncomplete { self.isIncomplete = true }
    }
}

/// A repository to be searched.
struct SearchTarget: Sendable {
    let row: StoredRepository
    let repository: any SourceRepository
    let query: CodeQuery
}

/// The repositories of a search, by id.
struct SearchedRepositories: Sendable {
    let service: ScmGatewayService
    let organizationID: Int64
    let search: CodeSearchRequest

    /// The next repository that can be searched; what cannot is left behind. nil at the end.
    ///
    /// - Throws: what is wrong with the only repository of the search.
    func next(_ place: inout SearchPlace) async throws -> SearchTarget? {
        if let id = search.repositoryID {
            guard place.doneID == 0 else { return nil }
            let row = try await service.activeRepository(id, organizationID: organizationID)
            return try await target(row, &place)
        }
        while let row = try await row(after: place.doneID) {
            do {
                return try await target(row, &place)
            } catch let error as RPCError where error.isOfOneRepository || error.code == .notFound {
                // An empty repository has nothing to find.
                let isEmpty = error.detail(GoogleRPC.ErrorInfo.self)?.reason == ErrorReason.emptyRepository.rawValue
                place.leave(row.id, isIncomplete: !isEmpty)
            }
        }
        return nil
    }

    private func target(_ row: StoredRepository, _ place: inout SearchPlace) async throws -> SearchTarget {
        let known = place.commit
        let (repository, commit) = try await service.mappingGitErrors(ScmGatewayService.searchFields) {
            let repository = try await service.repository(row)
            if let known { return (repository, try await ScmGatewayService.anchor(known.hex, repository)) }
            return (repository, try await repository.resolve(search.revision))
        }
        place.commit = commit
        return SearchTarget(row: row, repository: repository, query: search.query(at: commit))
    }

    private func row(after id: Int64) async throws -> StoredRepository? {
        var filter = RepositoryFilter(organizationID: organizationID)
        filter.statuses = [.active]
        return try await service.mappingStorageErrors { [filter] in
            try await service.database.read { try filter.rows(after: id, limit: 1, $0) }.first
        }
    }
}
