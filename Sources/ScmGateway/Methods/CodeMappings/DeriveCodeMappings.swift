import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    private static let maximumFrameCount = 1000
    private static let maximumGivenPathCount = 1_000_000

    public func deriveCodeMappings(
        _ request: DeriveCodeMappingsRequest, context: CallContext
    ) async throws -> DeriveCodeMappingsResponse {
        let isCreating = request.mode == .create
        let organizationID = try authorise(
            context, isCreating ? .write : .read, organizationID: request.organizationID
        )
        try Self.check(request)
        guard let platform = StackPlatform(request.platform) else { return Self.unknownPlatform(request) }
        guard !isCreating || derivations.begin(organizationID) else {
            throw RPCError(
                .aborted, .locked, "another derivation of the organization is storing its result",
                retryAfter: .seconds(5)
            )
        }
        defer { if isCreating { derivations.end(organizationID) } }
        let sources = try await honouringNoStore(context) {
            try await treesInUse(request, platform, organizationID: organizationID)
        }
        let frames = request.frames.map(SourceFrame.init)
        let (derivation, candidates) = try await offLoop {
            let derivation = MappingDerivation(frames: frames, platform: platform, trees: sources.trees)
            let candidates = frames.count == 1
                ? MappingDerivation.candidates(frames[0], platform: platform, trees: sources.trees) : []
            return (derivation, candidates)
        }
        var answer = DeriveCodeMappingsResponse(
            skipped: derivation.skipped.map { SkippedFrame($0.frame, $0.reason) },
            candidates: candidates.map { DerivedMapping($0, sources) },
            fromCache: sources.hasCached,
            truncatedRepositories: sources.truncated
        )
        answer.mappings = try await store(
            derivation.mappings.map { DerivedMapping($0, sources) }, isCreating, request.projectID, organizationID
        )
        if request.generateInAppRules, platform.usesModules {
            answer.inAppRules = InAppRules.rules(stackRoots: derivation.mappings.map(\.roots.stack))
        }
        if request.includeStackPrefixes {
            answer.stackPrefixes = try await offLoop {
                StackPrefixes.ranked(frames.map(\.filename)).map {
                    StackPrefix(prefix: $0.prefix, count: Int32(clamping: $0.count))
                }
            }
        }
        return answer
    }

    private static func check(_ request: DeriveCodeMappingsRequest) throws(RPCError) {
        guard !request.platform.isEmpty else { throw RPCError.badField("platform", "a platform is required") }
        guard (1...maximumFrameCount).contains(request.frames.count) else {
            throw RPCError.badField("frames", "1 to \(maximumFrameCount) frames")
        }
        guard [.unspecified, .suggest, .create, .dryRun].contains(request.mode) else {
            throw RPCError.badField("mode", "there is no mode \(request.mode.rawValue)")
        }
        guard request.mode != .create || request.projectID > 0 else {
            throw RPCError.badField("project_id", "mode CREATE needs a project")
        }
        guard request.repositoryIDs.count <= maximumFrameCount else {
            throw RPCError.badField("repository_ids", "at most \(maximumFrameCount) are allowed")
        }
        guard request.repoTrees.reduce(0, { $0 + $1.files.count }) <= maximumGivenPathCount else {
            throw RPCError.badField("repo_trees", "at most \(maximumGivenPathCount) paths together")
        }
        // Mappings are made of parts of them, and text with a NUL cannot be stored.
        for tree in request.repoTrees where holdsNUL([tree.name, tree.branch] + tree.files) {
            throw RPCError.badField("repo_trees", "no NUL is allowed")
        }
        for frame in request.frames where holdsNUL([frame.filename, frame.module, frame.absPath, frame.package]) {
            throw RPCError.badField("frames", "no NUL is allowed")
        }
    }

    private static func holdsNUL(_ texts: [String]) -> Bool { texts.contains { $0.utf8.contains(0) } }

    private static func unknownPlatform(_ request: DeriveCodeMappingsRequest) -> DeriveCodeMappingsResponse {
        DeriveCodeMappingsResponse(
            skipped: request.frames.indices.map { index in
                SkippedFrame(
                    frameIndex: Int32(clamping: index), reason: .unsupportedPlatform,
                    detail: "derivation does not know the platform \"\(request.platform.prefix(64))\""
                )
            }
        )
    }

    // MARK: Trees

    /// The trees of the organization's repositories, then those that came with the request.
    private func treesInUse(
        _ request: DeriveCodeMappingsRequest, _ platform: StackPlatform, organizationID: Int64
    ) async throws -> DerivationSources {
        var sources = DerivationSources()
        for row in try await repositories(request.repositoryIDs, organizationID: organizationID) {
            guard let found = try await files(of: row) else { continue }
            let tree = try await offLoop {
                SourceTree(name: row.name, branch: row.defaultBranch, files: found.paths, platform: platform)
            }
            sources.add(tree, repositoryID: row.id)
            sources.hasCached = sources.hasCached || found.isCached
            if found.isTruncated { sources.truncated.append(row.name) }
        }
        for given in request.repoTrees {
            let tree = try await offLoop {
                SourceTree(name: given.name, branch: given.branch, files: given.files, platform: platform)
            }
            let owners = try await mappingStorageErrors {
                try await self.database.read {
                    try RepositoryRows.find(name: given.name, organizationID: organizationID, $0)
                }
            }
            sources.add(tree, repositoryID: owners.count == 1 ? owners[0].id : 0)
        }
        return sources
    }

    private func repositories(_ ids: [Int64], organizationID: Int64) async throws -> [StoredRepository] {
        guard ids.isEmpty else {
            var rows: [StoredRepository] = []
            for id in ids { rows.append(try await activeRepository(id, organizationID: organizationID)) }
            return rows
        }
        var filter = RepositoryFilter(organizationID: organizationID)
        filter.statuses = [.active]
        let complete = filter
        return try await mappingStorageErrors {
            try await self.database.read { try complete.rows(after: 0, limit: 10_000, $0) }
        }
    }

    /// nil for a repository without a commit, or one that cannot be read: the others still count.
    private func files(of row: StoredRepository) async throws -> FileList? {
        do {
            let repository = try await repository(row)
            return try await repository.files(at: try await repository.resolve(nil))
        } catch let error as GitError {
            if error != .emptyRepository {
                logger.notice("no tree of a repository", metadata: ["repository": "\(row.id)", "error": "\(error)"])
            }
            return nil
        }
    }

    // MARK: Storing

    /// Stores what is new, in one transaction; a mapping that the project has is left as it is.
    private func store(
        _ mappings: [DerivedMapping], _ isCreating: Bool, _ projectID: Int64, _ organizationID: Int64
    ) async throws -> [DerivedMapping] {
        guard projectID > 0, !mappings.isEmpty else { return mappings }
        return try await mappingStorageErrors {
            guard isCreating else {
                return try await self.database.read { transaction in
                    try mappings.map { try $0.marked(projectID, organizationID, transaction) }
                }
            }
            return try await self.database.write { transaction in
                try mappings.map { mapping in
                    var mapping = try mapping.marked(projectID, organizationID, transaction.reading)
                    guard !mapping.existing, mapping.repositoryID != 0 else { return mapping }
                    let values = CodeMappingValues(
                        projectID: projectID, repositoryID: mapping.repositoryID,
                        roots: MappingRoots(stack: mapping.stackRoot, source: mapping.sourceRoot),
                        defaultBranch: mapping.branch, isAutomatic: true
                    )
                    let stored = try CodeMappingRows.insert(values, organizationID: organizationID, transaction)
                    mapping.created = stored != nil
                    mapping.codeMappingID = stored?.id ?? 0
                    return mapping
                }
            }
        }
    }
}

/// The trees that a derivation looks in.
private struct DerivationSources: Sendable {
    private(set) var trees: [SourceTree] = []
    private(set) var repositoryIDs: [Int64] = []
    var hasCached = false
    var truncated: [String] = []

    mutating func add(_ tree: SourceTree, repositoryID: Int64) {
        trees.append(tree)
        repositoryIDs.append(repositoryID)
    }
}

extension DerivedMapping {
    fileprivate init(_ mapping: MappingDerivation.Mapping, _ sources: DerivationSources) {
        let tree = sources.trees[mapping.tree]
        self.init(
            repositoryID: sources.repositoryIDs[mapping.tree], repositoryName: tree.name, branch: tree.branch,
            stackRoot: mapping.roots.stack, sourceRoot: mapping.roots.source, matchedFile: mapping.file,
            frameIndex: Int32(clamping: mapping.frame)
        )
    }

    /// With the id of the project's mapping of this stack root, if it has one.
    fileprivate func marked(
        _ projectID: Int64, _ organizationID: Int64, _ transaction: ReadTransaction
    ) throws -> DerivedMapping {
        let old = try CodeMappingRows.find(
            projectID: projectID, stackRoot: stackRoot, organizationID: organizationID, transaction
        )
        var marked = self
        marked.existing = old != nil
        marked.codeMappingID = old?.id ?? 0
        return marked
    }
}

extension SkippedFrame {
    fileprivate init(_ frame: Int, _ skip: FrameSkip) {
        self.init(frameIndex: Int32(clamping: frame), reason: skip.reason, detail: skip.detail)
    }
}

extension FrameSkip {
    fileprivate var reason: SkipReason {
        switch self {
        case .unsupportedPath: .unsupportedPath
        case .needsExtension: .needsExtension
        case .missingModuleOrAbsolutePath: .missingModuleOrAbsPath
        case .noPackage: .noPackage
        case .notInApp: .notInApp
        case .categorized: .categorized
        case .noMatch: .noMatch
        case .multipleFiles: .multipleFiles
        case .multipleRepositories: .multipleRepos
        case .rootsMismatch: .rootsMismatch
        }
    }

    fileprivate var detail: String {
        switch self {
        case .unsupportedPath: "the path is empty, an address, or none of a file"
        case .needsExtension: "the file name has no extension"
        case .missingModuleOrAbsolutePath: "the platform's frames are found by module and abs_path"
        case .noPackage: "the module is in no package"
        case .notInApp: "the frame is not the application's own"
        case .categorized: "the frame is runtime or framework code"
        case .noMatch: "no repository has such a file"
        case .multipleFiles: "one repository has several such files"
        case .multipleRepositories: "several repositories have such a file"
        case .rootsMismatch: "no pair of roots turns the frame's path into the file's"
        }
    }
}

extension SourceFrame {
    init(_ frame: StackFrame) {
        self.init(
            filename: frame.filename, module: frame.module, absolutePath: frame.absPath, package: frame.package,
            isInApp: frame.inApp, category: frame.category
        )
    }
}
