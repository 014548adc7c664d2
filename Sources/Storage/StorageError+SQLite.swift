import GRDB

extension StorageError {
    /// Runs `body` and turns an engine error into a ``StorageError``.
    static func mapping<R>(_ body: () throws -> R) throws -> R {
        do { return try body() } catch let error as DatabaseError { throw StorageError(error, path: nil) }
    }

    init(_ error: DatabaseError, path: String?) {
        let file = path.map { " (\($0))" } ?? ""
        let text = error.message ?? "SQLite error \(error.extendedResultCode.rawValue)"
        switch error.extendedResultCode {
        case .SQLITE_CONSTRAINT_UNIQUE, .SQLITE_CONSTRAINT_PRIMARYKEY:
            self.init(.uniqueViolation, text)
            return
        default: break
        }
        switch error.resultCode {
        case .SQLITE_CONSTRAINT:
            self.init(.constraintViolation, text)
        case .SQLITE_BUSY, .SQLITE_LOCKED:
            self.init(.busy, "the database\(file) is locked by another process: \(text)")
        case .SQLITE_FULL:
            self.init(.full, "no space left for the database\(file): \(text)")
        case .SQLITE_CANTOPEN, .SQLITE_PERM, .SQLITE_READONLY, .SQLITE_NOTADB, .SQLITE_CORRUPT, .SQLITE_AUTH:
            self.init(.cannotOpen, "the database\(file) cannot be used: \(text)")
        default:
            self.init(.other, "database error\(file): \(text)")
        }
    }
}
