import Foundation
import SiloRPC
import Storage

/// Rows of repositories, for the command line: the operator may register any folder.
public struct RepositoryStore: Sendable {
    private let database: Database

    public init(_ database: Database) {
        self.database = database
    }

    /// Registers the git repository in a folder, bare or with a work tree. Nothing is copied.
    ///
    /// - Parameters:
    ///   - path: Absolute, or relative to the process's folder.
    ///   - name: 1 to 200 characters; nil takes the folder's name.
    /// - Throws: ``RepositoryStoreError``: no git repository there, registered already, no such organization, bad
    ///   name; `StorageError`.
    public func add(path: String, organizationID: Int64, name: String? = nil) async throws -> StoredRepository {
        let found = try LocalFolder.open(path)
        let name = name ?? found.defaultName
        guard (1...LocalFolder.maximumNameCount).contains(name.count),
            name.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
        else {
            throw RepositoryStoreError(
                "a repository's name has 1 to \(LocalFolder.maximumNameCount) characters, no control characters"
            )
        }
        do {
            return try await database.write { transaction in
                try RepositoryRows.insert(
                    found, name: name, config: [:], organizationID: organizationID, mayBorrowObjects: true, transaction
                )
            }
        } catch let error as StorageError where error.isUniqueViolation {
            throw RepositoryStoreError("\(found.root) is registered already in organization \(organizationID)")
        } catch let error as StorageError where error.isConstraintViolation {
            throw RepositoryStoreError("there is no organization \(organizationID)")
        }
    }

    /// Repositories by id, of one organization or of all; deleted ones are left out.
    public func list(organizationID: Int64? = nil) async throws -> [StoredRepository] {
        try await database.read { transaction in
            let filter = organizationID == nil ? "" : "AND organization_id = ?"
            return try transaction.rows(
                "SELECT * FROM repositories WHERE deleted_at IS NULL \(filter) ORDER BY id",
                organizationID.map { [.integer($0)] } ?? []
            ).map(StoredRepository.init)
        }
    }

    /// The organization's row of a folder; nil when it is not registered.
    ///
    /// - Throws: ``RepositoryStoreError`` when there is no git repository.
    public func find(path: String, organizationID: Int64) async throws -> StoredRepository? {
        let found = try LocalFolder.open(path)
        return try await database.read { transaction in
            try RepositoryRows.find(externalID: found.root, organizationID: organizationID, transaction)
        }
    }

    /// Takes a repository out of service. A folder that the operator or a caller registered is not touched; a copy of a
    /// remote is removed. A running server notices within ``ScmGatewayConfiguration/repositoryCacheLifetime``.
    ///
    /// - Throws: ``RepositoryStoreError`` when there is none, `StorageError`.
    public func remove(id: Int64) async throws {
        let removed = try await database.write { transaction in
            try transaction.row(
                "DELETE FROM repositories WHERE id = ? AND deleted_at IS NULL RETURNING *", [.integer(id)]
            ).map(StoredRepository.init)
        }
        guard let removed else { throw RepositoryStoreError("there is no repository \(id)") }
        guard removed.mirror != nil else { return }
        // A server that is just fetching finds that its row has gone, and removes what it makes.
        try await offLoop { try? FileManager.default.removeItem(atPath: removed.gitFolder) }
    }
}

extension RepositoryStore {
    /// What an operator wants to know of a copy. Times are milliseconds since 1970 UTC, 0 for never.
    public struct MirrorLine: Sendable {
        public let id: Int64
        public let name: String
        /// `cloning`, `ready`, `fetching` or `failed`.
        public let state: String
        public let fetchedAt: Int64
        public let nextFetchAt: Int64
        /// Seconds; nil to follow the server.
        public let interval: Int64?
        public let failureCount: Int64
        public let maintainedAt: Int64
        public let byteCount: Int64
    }

    /// Copies of remote repositories by id.
    public func mirrors(organizationID: Int64? = nil) async throws -> [MirrorLine] {
        try await list(organizationID: organizationID).compactMap { row in
            row.mirror.map { mirror in
                MirrorLine(
                    id: row.id, name: row.name, state: "\(mirror.state)", fetchedAt: mirror.fetchedAt,
                    nextFetchAt: mirror.nextFetchAt, interval: mirror.interval, failureCount: mirror.failureCount,
                    maintainedAt: mirror.maintainedAt, byteCount: mirror.byteCount
                )
            }
        }
    }

    /// Sets how often a mirror is fetched by itself.
    ///
    /// - Parameters:
    ///   - seconds: 0 for never, nil to follow the server.
    ///   - server: the server's own interval.
    ///   - isDueNow: fetch at the server's next look.
    /// - Throws: ``RepositoryStoreError`` when there is no such mirror, `StorageError`.
    public func setMirrorInterval(
        _ seconds: Int64?, of id: Int64, server: Duration, isDueNow: Bool = false
    ) async throws {
        let interval = Int64(server / .milliseconds(1))
        let row = try await database.write { transaction in
            let row = try MirrorRows.setInterval(seconds, of: id, server: interval, transaction)
            if isDueNow, row != nil { try MirrorRows.makeDue(id, transaction) }
            return row
        }
        guard row != nil else { throw RepositoryStoreError("there is no mirror \(id)") }
    }
}

/// Why an operator's change to repositories was refused.
public struct RepositoryStoreError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }
}
