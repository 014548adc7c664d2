import Foundation
import GRDB

/// Statements inside one transaction. Valid only inside the closure that received it, which is why it is not
/// `Sendable`. Blocking calls: the closure already runs on the database's own thread.
///
/// SQL stays within what SQLite and PostgreSQL share (`RETURNING`, `ON CONFLICT`, no `ROWID`, no `AUTOINCREMENT`
/// outside migrations), so that a second engine can be put below without touching the callers.
public struct ReadTransaction {
    let connection: GRDB.Database

    /// All rows of a query. Callers bound the number with `LIMIT`.
    ///
    /// - Throws: ``StorageError``.
    public func rows(_ sql: String, _ arguments: [SQLValue] = []) throws -> [SQLRow] {
        try StorageError.mapping {
            let statement = try connection.makeStatement(sql: sql)
            let columns = statement.places
            let found = try Row.fetchCursor(statement, arguments: try statementArguments(arguments))
            var rows: [SQLRow] = []
            // The cursor's row is the same each time: its values are copied before the next step.
            while let row = try found.next() { rows.append(SQLRow(row, columns)) }
            return rows
        }
    }

    /// The first row of a query, or nil.
    ///
    /// - Throws: ``StorageError``.
    public func row(_ sql: String, _ arguments: [SQLValue] = []) throws -> SQLRow? {
        try StorageError.mapping {
            let statement = try connection.makeStatement(sql: sql)
            return try Row.fetchOne(statement, arguments: try statementArguments(arguments)).map {
                SQLRow($0, statement.places)
            }
        }
    }
}

/// A ``ReadTransaction`` that may also write. Commits when its closure returns, rolls back when it throws.
public struct WriteTransaction {
    let connection: GRDB.Database
    let actions: AfterCommitActions

    /// The reading half.
    public var reading: ReadTransaction { ReadTransaction(connection: connection) }

    /// As ``ReadTransaction/rows(_:_:)``; also for `INSERT ... RETURNING`.
    public func rows(_ sql: String, _ arguments: [SQLValue] = []) throws -> [SQLRow] {
        try reading.rows(sql, arguments)
    }

    /// As ``ReadTransaction/row(_:_:)``; also for `INSERT ... RETURNING`.
    public func row(_ sql: String, _ arguments: [SQLValue] = []) throws -> SQLRow? {
        try reading.row(sql, arguments)
    }

    /// Runs one statement.
    ///
    /// - Returns: how many rows it inserted, updated or deleted.
    /// - Throws: ``StorageError``, such as a unique violation.
    @discardableResult
    public func execute(_ sql: String, _ arguments: [SQLValue] = []) throws -> Int {
        try StorageError.mapping {
            try connection.execute(sql: sql, arguments: try statementArguments(arguments))
            return connection.changesCount
        }
    }

    /// Runs `action` once the transaction has committed, in the order of registration; never when it rolls back.
    /// Runs on the task that called ``Database/write(_:)``.
    public func afterCommit(_ action: @escaping @Sendable () -> Void) {
        actions.list.append(action)
    }
}

/// Collects what to do after the commit. Touched by one thread at a time: the writer, then the awaiting task.
final class AfterCommitActions {
    var list: [@Sendable () -> Void] = []
}

/// - Throws: ``StorageError`` for text with a NUL: PostgreSQL refuses it, and SQLite would cut it there.
private func statementArguments(_ values: [SQLValue]) throws(StorageError) -> StatementArguments {
    for case .text(let text) in values where text.utf8.contains(0) {
        throw StorageError(.unexpectedValue, "text with a NUL character cannot be stored")
    }
    return StatementArguments(values.map(\.databaseValue))
}

extension SQLValue {
    fileprivate var databaseValue: DatabaseValue {
        switch self {
        case .null: .null
        case .integer(let value): value.databaseValue
        case .real(let value): value.databaseValue
        case .text(let value): value.databaseValue
        case .blob(let value): Data(value).databaseValue
        }
    }

    fileprivate init(_ value: DatabaseValue) {
        switch value.storage {
        case .null: self = .null
        case .int64(let value): self = .integer(value)
        case .double(let value): self = .real(value)
        case .string(let value): self = .text(value)
        case .blob(let value): self = .blob(Array(value))
        }
    }
}

extension Statement {
    /// Places of the result's columns by name; of columns with the same name the first.
    fileprivate var places: [String: Int] {
        Dictionary(columnNames.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    }
}

extension SQLRow {
    fileprivate init(_ row: Row, _ columns: [String: Int]) {
        self.init(columns: columns, values: row.databaseValues.map(SQLValue.init))
    }
}
