import Storage

/// Which repositories a list shows.
struct RepositoryFilter: Sendable {
    var organizationID: Int64
    var provider: String?
    var statuses: [StoredRepository.Status] = [.active, .disabled]
    /// Part of the name, without regard to ASCII case.
    var nameContains = ""
    var externalIDs: [String] = []
    /// Milliseconds since 1970 UTC.
    var updatedSince: Int64?

    /// Rows with a greater id than `after`, by id.
    func rows(after id: Int64, limit: Int, _ transaction: ReadTransaction) throws -> [StoredRepository] {
        let (condition, arguments) = sql
        return try transaction.rows(
            "SELECT * FROM repositories WHERE \(condition) AND id > ? ORDER BY id LIMIT ?",
            arguments + [.integer(id), .integer(Int64(limit))]
        ).map(StoredRepository.init)
    }

    func count(_ transaction: ReadTransaction) throws -> Int64 {
        let (condition, arguments) = sql
        return try transaction.row(
            "SELECT COUNT(*) AS count FROM repositories WHERE \(condition)", arguments
        )?.integer("count") ?? 0
    }

    /// Only the number of placeholders depends on the request, never the text.
    private var sql: (condition: String, arguments: [SQLValue]) {
        var conditions = ["organization_id = ?", "deleted_at IS NULL"]
        var arguments: [SQLValue] = [.integer(organizationID)]
        if let provider {
            conditions.append("provider = ?")
            arguments.append(.text(provider))
        }
        conditions.append("status IN (\(Self.placeholders(statuses.count)))")
        arguments += statuses.map { .integer($0.rawValue) }
        if !nameContains.isEmpty {
            // SQLite's LIKE ignores the case of ASCII letters only, which is what the contract says.
            conditions.append("name LIKE ? ESCAPE '\\'")
            arguments.append(.text("%\(LikePattern.escaped(nameContains))%"))
        }
        if !externalIDs.isEmpty {
            conditions.append("external_id IN (\(Self.placeholders(externalIDs.count)))")
            arguments += externalIDs.map(SQLValue.text)
        }
        if let updatedSince {
            conditions.append("updated_at >= ?")
            arguments.append(.integer(updatedSince))
        }
        return (conditions.joined(separator: " AND "), arguments)
    }

    private static func placeholders(_ count: Int) -> String {
        Array(repeating: "?", count: count).joined(separator: ", ")
    }
}

/// Text inside a LIKE pattern with `ESCAPE '\'`.
enum LikePattern {
    static func escaped(_ text: String) -> String {
        // By scalars, as SQLite reads them: `%` with a combining mark behind it is one Character and still a wildcard.
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            if scalar == "%" || scalar == "_" || scalar == "\\" { result.append("\\") }
            result.append(scalar)
        }
        return String(result)
    }
}
