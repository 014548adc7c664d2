import SiloRPC
import Storage

/// The statements on the repositories table.
enum RepositoryRows {
    /// - Parameter mayBorrowObjects: whether a later `objects/info/alternates` is obeyed.
    /// - Throws: `StorageError` with a unique violation when the organization has this folder.
    static func insert(
        _ folder: LocalFolder,
        name: String,
        config: [String: String],
        organizationID: Int64,
        mayBorrowObjects: Bool,
        _ transaction: WriteTransaction
    ) throws -> StoredRepository {
        let now = EpochTime.now
        let row = try transaction.row(
            """
            INSERT INTO repositories (organization_id, provider, external_id, name, url, git_folder, default_branch,
                status, config, created_at, updated_at, may_borrow)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING *
            """,
            [
                .integer(organizationID), .text(StoredRepository.localGit), .text(folder.root), .text(name),
                .text(folder.url), .text(folder.location.gitFolder), .text(folder.defaultBranch),
                .integer(StoredRepository.Status.active.rawValue), .text(ConfigText.encode(config)),
                .integer(now), .integer(now), .boolean(mayBorrowObjects),
            ]
        )
        guard let row else { throw RepositoryStoreError("the repository was not stored") }
        return try StoredRepository(row)
    }

    /// Brings a hidden row back under its id: name and address are the new ones, config is merged, new keys win.
    static func reactivate(
        _ old: StoredRepository,
        _ folder: LocalFolder,
        name: String,
        config: [String: String],
        _ transaction: WriteTransaction
    ) throws -> StoredRepository {
        let row = try transaction.row(
            """
            UPDATE repositories SET status = ?, name = ?, url = ?, git_folder = ?, default_branch = ?, config = ?,
                updated_at = ?
            WHERE id = ? RETURNING *
            """,
            [
                .integer(StoredRepository.Status.active.rawValue), .text(name), .text(folder.url),
                .text(folder.location.gitFolder), .text(folder.defaultBranch),
                .text(ConfigText.encode(old.config.merging(config) { _, new in new })), .integer(EpochTime.now),
                .integer(old.id),
            ]
        )
        guard let row else { throw RepositoryStoreError("the repository was not stored") }
        return try StoredRepository(row)
    }

    static func find(id: Int64, organizationID: Int64, _ transaction: ReadTransaction) throws -> StoredRepository? {
        try transaction.row(
            "SELECT * FROM repositories WHERE id = ? AND organization_id = ? AND deleted_at IS NULL",
            [.integer(id), .integer(organizationID)]
        ).map(StoredRepository.init)
    }

    static func find(
        externalID: String,
        organizationID: Int64,
        _ transaction: ReadTransaction
    ) throws -> StoredRepository? {
        try transaction.row(
            """
            SELECT * FROM repositories
            WHERE organization_id = ? AND provider = ? AND external_id = ? AND deleted_at IS NULL
            """,
            [.integer(organizationID), .text(StoredRepository.localGit), .text(externalID)]
        ).map(StoredRepository.init)
    }

    /// At most two rows: whether there is more than one is all that a caller asks.
    static func find(
        name: String,
        organizationID: Int64,
        _ transaction: ReadTransaction
    ) throws -> [StoredRepository] {
        try transaction.rows(
            "SELECT * FROM repositories WHERE organization_id = ? AND name = ? AND deleted_at IS NULL ORDER BY id "
                + "LIMIT 2",
            [.integer(organizationID), .text(name)]
        ).map(StoredRepository.init)
    }

    /// Whether any row in use leads to a git folder.
    static func isUsed(gitFolder: String, _ transaction: ReadTransaction) throws -> Bool {
        try transaction.row(
            "SELECT id FROM repositories WHERE git_folder = ? AND deleted_at IS NULL LIMIT 1", [.text(gitFolder)]
        ) != nil
    }

    /// All git folders in use.
    static func gitFolders(_ transaction: ReadTransaction) throws -> [String] {
        try transaction.rows("SELECT DISTINCT git_folder FROM repositories WHERE deleted_at IS NULL").map {
            try $0.text("git_folder")
        }
    }

    /// How long a deleted row still answers "deleted" instead of "not found", in milliseconds: 24 hours.
    static let deletionMemory: Int64 = 86_400_000

    /// Marks a row deleted, and deletes the code mappings that lead to it with their code owners. Its unique values get
    /// placeholders, so that the same folder can be added again at once.
    ///
    /// - Returns: false when there is no such row, nor one that was deleted within the last 24 hours.
    static func delete(id: Int64, organizationID: Int64, _ transaction: WriteTransaction) throws -> Bool {
        let now = EpochTime.now
        try transaction.execute("DELETE FROM repositories WHERE deleted_at < ?", [.integer(now - deletionMemory)])
        guard let repository = try find(id: id, organizationID: organizationID, transaction.reading) else {
            return try transaction.row(
                "SELECT id FROM repositories WHERE id = ? AND organization_id = ?",
                [.integer(id), .integer(organizationID)]
            ) != nil
        }
        try transaction.execute("DELETE FROM code_mappings WHERE repository_id = ?", [.integer(id)])
        let config = repository.config.merging(["pending_deletion_name": repository.name]) { _, new in new }
        try transaction.execute(
            """
            UPDATE repositories SET status = ?, name = ?, external_id = ?, config = ?, deleted_at = ?, updated_at = ?
            WHERE id = ?
            """,
            [
                .integer(StoredRepository.Status.pendingDeletion.rawValue), .text("deleted-\(id)"),
                .text("deleted-\(id)"), .text(ConfigText.encode(config)), .integer(now), .integer(now), .integer(id),
            ]
        )
        return true
    }

    /// nil when there is no such row.
    static func update(
        _ id: Int64, _ change: RepositoryChange, _ transaction: WriteTransaction
    ) throws -> StoredRepository? {
        try transaction.row(
            """
            UPDATE repositories SET name = ?, status = ?, config = ?, updated_at = ?
            WHERE id = ? AND deleted_at IS NULL RETURNING *
            """,
            [
                .text(change.name), .integer(change.status.rawValue), .text(ConfigText.encode(change.config)),
                .integer(EpochTime.now), .integer(id),
            ]
        ).map(StoredRepository.init)
    }

    /// nil when there is no such row.
    static func set(
        _ status: StoredRepository.Status, of id: Int64, _ transaction: WriteTransaction
    ) throws -> StoredRepository? {
        try transaction.row(
            "UPDATE repositories SET status = ?, updated_at = ? WHERE id = ? AND deleted_at IS NULL RETURNING *",
            [.integer(status.rawValue), .integer(EpochTime.now), .integer(id)]
        ).map(StoredRepository.init)
    }

    /// Stores what a fresh look at the folder found.
    static func refresh(_ id: Int64, defaultBranch: String, _ transaction: WriteTransaction) throws -> StoredRepository?
    {
        try transaction.row(
            """
            UPDATE repositories SET updated_at = CASE default_branch WHEN ? THEN updated_at ELSE ? END,
                default_branch = ?
            WHERE id = ? AND deleted_at IS NULL RETURNING *
            """,
            [.text(defaultBranch), .integer(EpochTime.now), .text(defaultBranch), .integer(id)]
        ).map(StoredRepository.init)
    }
}
