/// One result row: values by column name. A plain value, usable after the transaction has ended.
public struct SQLRow: Sendable, Hashable {
    /// Places by name; all rows of a result share them.
    private let columns: [String: Int]
    private let values: [SQLValue]

    /// - Parameter columns: places in `values`.
    init(columns: [String: Int], values: [SQLValue]) {
        (self.columns, self.values) = (columns, values)
    }

    /// The value of a column.
    ///
    /// - Throws: ``StorageError`` when the query has no such column.
    public func value(_ column: String) throws(StorageError) -> SQLValue {
        guard let place = columns[column], values.indices.contains(place) else {
            throw StorageError(.unexpectedValue, "no column \"\(column)\"")
        }
        return values[place]
    }

    /// - Throws: ``StorageError`` when the column is absent, NULL or not an integer.
    public func integer(_ column: String) throws(StorageError) -> Int64 {
        guard let value = try integerOrNil(column) else { throw unexpected(column, "an integer") }
        return value
    }

    /// nil for NULL.
    ///
    /// - Throws: ``StorageError`` when the column is absent or holds something else.
    public func integerOrNil(_ column: String) throws(StorageError) -> Int64? {
        switch try value(column) {
        case .null: return nil
        case .integer(let value): return value
        default: throw unexpected(column, "an integer")
        }
    }

    /// - Throws: ``StorageError`` when the column is absent, NULL or not text.
    public func text(_ column: String) throws(StorageError) -> String {
        guard let value = try textOrNil(column) else { throw unexpected(column, "text") }
        return value
    }

    /// nil for NULL.
    ///
    /// - Throws: ``StorageError`` when the column is absent or holds something else.
    public func textOrNil(_ column: String) throws(StorageError) -> String? {
        switch try value(column) {
        case .null: return nil
        case .text(let value): return value
        default: throw unexpected(column, "text")
        }
    }

    /// - Throws: ``StorageError`` when the column is absent, NULL or not a blob.
    public func blob(_ column: String) throws(StorageError) -> [UInt8] {
        guard case .blob(let value) = try value(column) else { throw unexpected(column, "a blob") }
        return value
    }

    /// nil for NULL.
    ///
    /// - Throws: ``StorageError`` when the column is absent or holds something else.
    public func blobOrNil(_ column: String) throws(StorageError) -> [UInt8]? {
        if case .null = try value(column) { return nil }
        return try blob(column)
    }

    /// - Throws: ``StorageError`` when the column is absent or neither 0 nor 1.
    public func boolean(_ column: String) throws(StorageError) -> Bool {
        switch try integer(column) {
        case 0: return false
        case 1: return true
        default: throw unexpected(column, "0 or 1")
        }
    }

    private func unexpected(_ column: String, _ wanted: String) -> StorageError {
        StorageError(.unexpectedValue, "column \"\(column)\" does not hold \(wanted)")
    }
}
