/// One value of a column or a statement argument.
///
/// The five storage classes that SQLite and PostgreSQL share. Times are integers: milliseconds since 1970 UTC.
public enum SQLValue: Sendable, Hashable {
    case null
    case integer(Int64)
    case real(Double)
    /// Without NUL characters.
    case text(String)
    case blob([UInt8])
}

extension SQLValue: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral, ExpressibleByNilLiteral {
    public init(integerLiteral value: Int64) { self = .integer(value) }
    public init(stringLiteral value: String) { self = .text(value) }
    public init(nilLiteral: ()) { self = .null }
}

extension SQLValue {
    /// Booleans are the integers 0 and 1, which every engine can store and index.
    public static func boolean(_ value: Bool) -> SQLValue { .integer(value ? 1 : 0) }
}
