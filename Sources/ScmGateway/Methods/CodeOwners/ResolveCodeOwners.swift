import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    private static let maximumPathCount = 10_000
    private static let maximumFrameCount = 1000
    /// Imports of one project that are looked at, the newest first.
    private static let maximumImportCount = 100

    public func resolveCodeOwners(
        _ request: ResolveCodeOwnersRequest, context: CallContext
    ) async throws -> ResolveCodeOwnersResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        try Self.check(request)
        let resolvers = try await honouringNoStore(context) {
            try await self.resolvers(request, organizationID: organizationID)
        }
        return try await offLoop { ResolveCodeOwnersResponse(request, resolvers) }
    }

    /// Of the files that the request names.
    private func resolvers(
        _ request: ResolveCodeOwnersRequest, organizationID: Int64
    ) async throws -> [OwnersResolvers] {
        let files = request.projectID != 0
            ? try await imports(ofProject: request.projectID, organizationID: organizationID)
            : [try await file(request, organizationID: organizationID)]
        var resolvers: [OwnersResolvers] = []
        for file in files {
            resolvers.append(try await self.resolvers(
                of: file, isForFrames: !request.frames.isEmpty, organizationID: organizationID))
        }
        return resolvers
    }

    private static func check(_ request: ResolveCodeOwnersRequest) throws(RPCError) {
        guard (request.projectID > 0) != (request.repositoryID > 0) else {
            throw RPCError.badField("project_id", "either project_id or repository_id is required")
        }
        guard request.paths.count <= maximumPathCount else {
            throw RPCError.badField("paths", "at most \(maximumPathCount) are allowed")
        }
        guard request.frames.count <= maximumFrameCount else {
            throw RPCError.badField("frames", "at most \(maximumFrameCount) are allowed")
        }
        guard request.frames.isEmpty || request.projectID > 0 else {
            throw RPCError.badField("frames", "frames need a project_id, whose mappings lead to them")
        }
        guard request.maxOwners >= 0 else { throw RPCError.badField("max_owners", "not a negative number") }
    }

    private func imports(ofProject id: Int64, organizationID: Int64) async throws -> [OwnersText] {
        var stored = try await mappingStorageErrors {
            try await self.database.read {
                try CodeOwnersRows.ofProject(id, organizationID: organizationID, limit: Self.maximumImportCount, $0)
            }
        }
        for index in stored.indices { stored[index] = try await followed(stored[index]) }
        return stored.map { owners in
            OwnersText(
                text: owners.raw, dialect: OwnersDialect(stored: owners.dialect), roots: owners.mapping.roots)
        }
    }

    private func file(_ request: ResolveCodeOwnersRequest, organizationID: Int64) async throws -> OwnersText {
        let dialect = try OwnersDialect(request.dialect)
        let row = try await activeRepository(request.repositoryID, organizationID: organizationID)
        let found = try await mappingGitErrors(GitFields()) {
            let revision = request.ref.isEmpty ? nil : try Revision(request.ref)
            return try await ownersFile(in: try await repository(row), at: revision, dialect: dialect)
        }
        return OwnersText(text: found.text, dialect: found.dialect, roots: MappingRoots(stack: "", source: ""))
    }

    /// The rules of a file, ready to be asked. Reading ten thousand takes longer than a thousand paths do, so they are
    /// kept by what the text says.
    private func resolvers(
        of file: OwnersText, isForFrames: Bool, organizationID: Int64
    ) async throws -> OwnersResolvers {
        try await offLoop {
            let key = OwnersKey(
                organizationID: organizationID, text: SHA256.digest(Array(file.text.utf8)), dialect: file.dialect,
                roots: file.roots, isForFrames: isForFrames
            )
            if !FreshCall.isRunning, let known = owners[key] { return known }
            let rules = OwnersFile(file.text, dialect: file.dialect).rules
            let made = OwnersResolvers(rules, file, isForFrames: isForFrames)
            let byteCount = file.text.utf8.count * 4 + rules.count * 700 * (isForFrames ? 2 : 1)
            if !FreshCall.isRunning { owners.insert(made, for: key, byteCount: byteCount) }
            return made
        }
    }
}

/// A code owners file, unread.
private struct OwnersText: Sendable {
    let text: String
    let dialect: OwnersDialect
    let roots: MappingRoots
}

/// What the rules of a file depend on. The organization is part of it although the text alone would do: an answer that
/// comes too fast must not tell that another tenant has the same file.
struct OwnersKey: Hashable, Sendable {
    let organizationID: Int64
    /// SHA-256.
    let text: [UInt8]
    let dialect: OwnersDialect
    let roots: MappingRoots
    let isForFrames: Bool
}

/// The rules of one file, for paths in the repository and for those in stack traces.
struct OwnersResolvers: Sendable {
    let forPaths: OwnersResolver
    let forFrames: OwnersResolver?

    fileprivate init(_ rules: [OwnersRule], _ file: OwnersText, isForFrames: Bool) {
        forPaths = OwnersResolver(rules, dialect: file.dialect)
        guard isForFrames else {
            forFrames = nil
            return
        }
        let moved = rules.map { rule in
            var rule = rule
            rule.pattern = OwnershipText.stackPattern(rule.pattern, file.roots.stack, file.roots.source)
            return rule
        }
        forFrames = OwnersResolver(moved, dialect: file.dialect)
    }
}

extension ResolveCodeOwnersResponse {
    /// The newest file that says anything of a path decides; rules without owners say something.
    fileprivate init(_ request: ResolveCodeOwnersRequest, _ resolvers: [OwnersResolvers]) {
        self.init()
        let limit = request.maxOwners == 0 ? Int.max : Int(request.maxOwners)
        for path in request.paths {
            let answer = resolvers.lazy.map { $0.forPaths.owners(of: path) }.first { !$0.rules.isEmpty }
            results.append(ResolvedOwners(path, frame: -1, answer, limit))
        }
        for (index, frame) in request.frames.enumerated() {
            let source = SourceFrame(frame)
            let munged = FrameMunger.path(source, platform: request.platform, sdk: request.sdkName)
            let paths = [munged ?? "", source.filename, source.absolutePath].filter { !$0.isEmpty }
            // What is not the application's own has no owner.
            let answer = source.isInApp == false
                ? nil : resolvers.lazy.compactMap { $0.forFrames?.owners(ofAny: paths) }.first { !$0.rules.isEmpty }
            results.append(ResolvedOwners(paths.first ?? "", frame: Int32(clamping: index), answer, limit))
        }
        var seen: Set<CodeOwner> = []
        owners = results.flatMap(\.owners).filter { seen.insert($0).inserted }
    }
}

extension ResolvedOwners {
    fileprivate init(_ path: String, frame: Int32, _ answer: OwnersResolver.Answer?, _ limit: Int) {
        self.init(path: path, frameIndex: frame)
        guard let answer else { return }
        owners = answer.owners.prefix(limit).map(CodeOwner.init)
        rules = answer.rules.map(CodeOwnersRule.init)
        excluded = answer.isExcluded
    }
}
