import Foundation
import Logging
import RPC
import ScmAPI
import SiloRPC
import Storage

/// Source control as a service, over local git repositories.
///
/// Expects a `Principal` in the service context (`APIKeyInterceptor` puts it there). Every method goes the same way:
/// authorise, resolve `(organization, repository)` once, ask a capability of the repository's provider, map the
/// answer. Methods of the contract that are not served answer UNIMPLEMENTED.
///
/// Methods may be called from any task and from event loops; they never block a thread.
public final class ScmGatewayService: ScmService {
    let configuration: ScmGatewayConfiguration
    let database: Database
    let directory: RepositoryDirectory
    let pages: RepositoryPages
    let localGit: LocalGitProvider
    /// Of other kinds of repositories, by the value of the rows' provider column.
    let providers: [String: any RepositoryProvider]
    let mirrors: Mirrors
    let derivations = OrganizationLocks()
    /// Rules of code owners files.
    let owners = ByteBoundedCache<OwnersKey, OwnersResolvers>(limit: 96 * 1024 * 1024)
    let logger: Logger

    /// - Parameter database: opened with `SiloSchema.migrations + ScmGatewaySchema.migrations`.
    /// - Throws: ``GitNotFound`` when there is no git program.
    public convenience init(
        configuration: ScmGatewayConfiguration,
        database: Database,
        logger: Logger = Logger(label: "scm")
    ) throws {
        try self.init(configuration: configuration, database: database, logger: logger, providers: [:])
    }

    init(
        configuration: ScmGatewayConfiguration, database: Database, logger: Logger = Logger(label: "scm"),
        providers: [String: any RepositoryProvider]
    ) throws {
        self.providers = providers
        self.configuration = configuration
        self.database = database
        self.logger = logger
        directory = RepositoryDirectory(
            configuration.repositories ?? RepositoryDirectoryRows(database),
            lifetime: configuration.repositoryCacheLifetime)
        pages = RepositoryPages(database: database)
        var git = configuration.git
        let folder = (URL(fileURLWithPath: database.path).path as NSString).deletingLastPathComponent
        git.workspaceFolder = git.workspaceFolder ?? folder + "/git"
        let blames = BlameStore(
            path: folder + "/blame-cache.sqlite", limit: configuration.blameCacheByteCount, logger: logger
        )
        do throws(GitError) {
            localGit = LocalGitProvider(engine: try GitEngine(configuration: git, blames: blames))
        } catch {
            throw GitNotFound()
        }
        mirrors = Mirrors(
            configuration.mirrors, program: localGit.engine.runner.process.program,
            folder: configuration.mirrors.folder ?? folder + "/mirrors",
            database: database, directory: directory, logger: logger
        )
    }

    /// A repository, opened by its provider.
    ///
    /// - Throws: UNIMPLEMENTED for a provider that this server does not have; ``GitError``.
    func repository(_ row: StoredRepository) async throws -> any SourceRepository {
        try await provider(of: row).repository(row)
    }

    func provider(of row: StoredRepository) throws(RPCError) -> any RepositoryProvider {
        if row.provider == StoredRepository.localGit { return localGit }
        guard let provider = providers[row.provider] else {
            throw RPCError(.unimplemented, .capabilityMissing, "this server does not serve the repository's provider")
        }
        return provider
    }

    /// Goes on with clones and fetches that the end of the last process broke off, and removes what is left of
    /// repositories that are gone. Call it once, before serving.
    ///
    /// - Throws: `StorageError`.
    public func resume() async throws {
        await localGit.engine.keepOnly(gitFolders: try await database.read { try RepositoryRows.gitFolders($0) })
        try await mirrors.resume()
    }

    /// Memory that results of git take, by the service's own estimate, in bytes: at most ``resultCacheByteLimit``.
    public var resultCacheByteCount: Int { localGit.engine.sharedCache.byteCount }

    /// ``GitConfiguration/resultCacheByteCount``.
    public var resultCacheByteLimit: Int { configuration.git.resultCacheByteCount }

    /// Ends all pooled git processes and waits until they are reaped. Calls that still run get UNAVAILABLE.
    public func shutdown() async {
        await mirrors.shutDown()
        await localGit.engine.shutDown()
    }
}

/// The service needs the `git` program and found none.
public struct GitNotFound: Error, Sendable, CustomStringConvertible {
    public var description: String {
        "the git program was not found: install git, or name its path in GitConfiguration.gitPath"
    }
}
