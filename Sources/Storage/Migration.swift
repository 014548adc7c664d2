/// One step of the schema, applied once and remembered by name.
///
/// Modules contribute their own lists; this module knows no table. A step that has been released never changes:
/// add another one.
public struct Migration: Sendable {
    /// Unique over all modules, such as `silo-1-organizations`.
    public let name: String
    /// Statements, separated by `;`.
    public let sql: String

    public init(_ name: String, sql: String) {
        self.name = name
        self.sql = sql
    }
}
