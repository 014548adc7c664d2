import Synchronization

/// Reads git repositories through the `git` program.
///
/// Order of every operation: check what the caller wrote (``Revision``, ``RepositoryPath``), resolve the revision to
/// an object id over a `cat-file` pipe, then work with object ids only. What depends on nothing but object ids never
/// changes and is kept in memory, most recently used first, within `resultCacheByteCount`.
///
/// Nothing here blocks the caller's thread, and every operation leaves the caller's executor, so it may be called
/// from an event loop. Cancelling the calling task kills what was started for it.
final class GitEngine: Sendable {
    let configuration: GitConfiguration
    let runner: GitRunner
    let readers: ObjectReaderPool
    /// Of all calls.
    let sharedCache: ByteBoundedCache<CacheKey, CachedResult>
    /// Of the calling task's call.
    var cache: ByteBoundedCache<CacheKey, CachedResult> { FreshCall.results ?? sharedCache }
    /// Blame results that outlive this process.
    let blames: BlameStore?
    private let opened = Mutex<[Opened: GitRepository]>([:])

    private struct Opened: Hashable {
        let gitFolder: String
        let mayBorrowObjects: Bool
    }

    /// - Throws: ``GitError/gitNotFound(_:)``.
    init(configuration: GitConfiguration = GitConfiguration(), blames: BlameStore? = nil) throws(GitError) {
        self.configuration = configuration
        self.blames = blames
        let process = try GitProcess(configuration)
        runner = GitRunner(process: process, configuration: configuration)
        readers = ObjectReaderPool(process: process, configuration: configuration)
        sharedCache = ByteBoundedCache(limit: configuration.resultCacheByteCount)
    }

    /// An engine that was dropped without ``shutDown()`` leaves nothing behind either; its readers end with it.
    deinit { runner.process.workspace.remove() }

    /// The repository whose git folder is `gitFolder`, as ``RepositoryLocation/gitFolder`` gave it. Looks at the
    /// disk the first time only.
    ///
    /// - Parameter mayBorrowObjects: see ``RepositoryLocation/mayBorrowObjects``.
    /// - Throws: ``GitError/repositoryMissing``, ``GitError/notARepository(_:)``.
    func repository(gitFolder: String, mayBorrowObjects: Bool = true) async throws -> GitRepository {
        let key = Opened(gitFolder: gitFolder, mayBorrowObjects: mayBorrowObjects)
        if let known = opened.withLock({ $0[key] }) { return known }
        let found = try await offLoop { try RepositoryLocation(gitFolder: gitFolder) }
        let location = mayBorrowObjects ? found : found.withoutBorrowing
        let fresh = GitRepository(location: location, configuration: configuration)
        return opened.withLock { opened in
            if let known = opened[key] { return known }
            opened[key] = fresh
            return fresh
        }
    }

    /// For a folder that nobody needs any more: ends its processes, and removes what was made for it.
    func forget(gitFolder: String) async {
        let known = opened.withLock { opened in
            [true, false].compactMap { opened.removeValue(forKey: Opened(gitFolder: gitFolder, mayBorrowObjects: $0)) }
        }
        for repository in known { readers.discard(repository.location) }
        let workspace = runner.process.workspace
        try? await offLoop {
            guard let location = known.first?.location ?? (try? RepositoryLocation(gitFolder: gitFolder)) else {
                return
            }
            workspace.removeStandIn(for: location)
        }
    }

    /// Removes what was made for folders that are not among these. Call it before the first use.
    func keepOnly(gitFolders: [String]) async {
        let workspace = runner.process.workspace
        try? await offLoop {
            workspace.removeStandIns(except: gitFolders.compactMap { try? RepositoryLocation(gitFolder: $0) })
        }
    }

    /// Ends all long-lived processes and waits until they are reaped.
    func shutDown() async {
        await readers.shutDown()
        await blames?.close()
        runner.process.workspace.remove()
    }

    /// The repository's folder may have gone since it was opened: says so instead of `error` when it has.
    func explain(_ error: GitError, in repository: GitRepository) async -> GitError {
        guard (try? await offLoop({ repository.location.isMissing })) == true else { return error }
        readers.discard(repository.location)
        let location = repository.location
        let key = Opened(gitFolder: location.gitFolder, mayBorrowObjects: location.mayBorrowObjects)
        _ = opened.withLock { $0.removeValue(forKey: key) }
        return .repositoryMissing
    }
}

/// Runs `body` on the global executor: away from an event loop that the caller may be on.
///
/// `body` is `@concurrent`, or it would begin on the caller's executor and leave that only where it first suspends.
func offLoop<R: Sendable>(_ body: @concurrent @Sendable () async throws -> R) async throws -> R {
    try await withTaskExecutorPreference(globalConcurrentExecutor, operation: body)
}
