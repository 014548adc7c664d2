import FrameCodec
import RPC
import ScmAPI
import SiloRPC
import Storage

extension ScmGatewayService {
    /// For a local folder `name`, `status` and `config` can change, for a mirror its interval too: the rest is what the
    /// folder or the remote says.
    public func updateRepository(_ request: UpdateRepositoryRequest, context: CallContext) async throws -> Repository {
        let organizationID = try authorise(context, .write, organizationID: request.organizationID)
        let new = request.repository ?? Repository()
        guard new.id > 0 else { throw RPCError.badField("repository.id", "a positive id is required") }
        let paths = request.updateMask?.paths ?? []
        guard !paths.isEmpty else { throw RPCError.badField("update_mask", "name the fields to change") }
        let answer = try await mappingStorageErrors {
            try await self.database.write { transaction in
                let old = try RepositoryRows.find(id: new.id, organizationID: organizationID, transaction.reading)
                guard let old else { throw Self.repositoryNotFound }
                let change = try RepositoryChange(new, of: old, paths)
                guard let changed = try RepositoryRows.update(old.id, change, transaction) else {
                    throw Self.repositoryNotFound
                }
                let row =
                    if let interval = change.interval {
                        try MirrorRows.setInterval(
                            interval.seconds, of: changed.id, server: self.mirrors.interval, transaction
                        ) ?? changed
                    } else {
                        changed
                    }
                transaction.afterCommit { self.directory.forget(id: row.id, organizationID: organizationID) }
                return Repository(row)
            }
        }
        noteRepositoryChange("changed", new.id, organizationID: organizationID, context)
        return answer
    }
}

/// How often a mirror is fetched by itself.
struct FetchInterval: Sendable {
    /// nil to follow the server, 0 for never.
    var seconds: Int64?
}

/// The values that a repository has after an update.
struct RepositoryChange: Sendable {
    private(set) var name: String
    private(set) var status: StoredRepository.Status
    private(set) var config: [String: String]
    /// nil when it stays as it is.
    private(set) var interval: FetchInterval?

    /// - Parameter paths: the fields to change.
    /// - Throws: INVALID_ARGUMENT for a field that cannot change, or cannot have its value.
    init(_ new: Repository, of old: StoredRepository, _ paths: [String]) throws(RPCError) {
        (name, status, config) = (old.name, old.status, old.config)
        for path in paths {
            switch path {
            case "name": name = try Self.name(new.name)
            case "status": status = try Self.status(new.status, from: old.status)
            case "config": config = try Self.config(new.config, old.config)
            case "mirror.fetch_interval":
                interval = FetchInterval(seconds: try Self.interval(new.mirror?.fetchInterval, of: old))
            case "url", "default_branch", "integration_id":
                throw RPCError.badField("update_mask", "\"\(path)\" of a local git repository cannot be changed")
            default:
                throw RPCError.badField("update_mask", "\"\(path.prefix(64))\" cannot be changed")
            }
        }
    }

    private static func name(_ name: String) throws(RPCError) -> String {
        guard (1...LocalFolder.maximumNameCount).contains(name.count),
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            throw RPCError.badField(
                "repository.name", "1 to \(LocalFolder.maximumNameCount) characters without control characters"
            )
        }
        return name
    }

    private static func interval(
        _ interval: Protobuf.Duration?, of old: StoredRepository
    ) throws(RPCError) -> Int64? {
        let field = "repository.mirror.fetch_interval"
        guard old.mirror != nil else { throw RPCError.badField(field, "the repository is no mirror") }
        guard let interval else { return nil }
        guard interval.nanos == 0, let seconds = Int(exactly: interval.seconds),
            seconds == 0 || MirrorConfiguration.intervals.contains(seconds)
        else {
            throw RPCError.badField(
                field,
                "0 for never, or whole seconds, one minute to 365 days"
            )
        }
        return Int64(seconds)
    }

    /// ```
    /// ACTIVE <-> DISABLED      each -> HIDDEN      HIDDEN -> ACTIVE
    /// ```
    private static func status(
        _ status: RepositoryStatus, from old: StoredRepository.Status
    ) throws(RPCError) -> StoredRepository.Status {
        guard let new = StoredRepository.Status(rawValue: Int64(status.rawValue)), new != .pendingDeletion else {
            throw RPCError.badField("repository.status", "there is no repository status \(status.rawValue)")
        }
        guard !(old == .hidden && new == .disabled) else {
            throw RPCError.badField("repository.status", "a hidden repository can only become active")
        }
        return new
    }

    /// Secrets are never shown, so a caller who writes back what it read would lose them: they stay until they are
    /// written anew.
    private static func config(
        _ new: [String: String], _ old: [String: String]
    ) throws(RPCError) -> [String: String] {
        let merged = old.filter { ConfigRules.isSecret($0.key) }.merging(new) { _, new in new }
        try ConfigRules.check(merged)
        return merged
    }
}
