/// What can go wrong with the database, with a text an operator can act on.
public struct StorageError: Error, Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable {
        case cannotOpen, schemaTooNew, uniqueViolation, constraintViolation, busy, full, unexpectedValue, other
    }

    let kind: Kind
    /// What happened, which file, and what to do.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    /// The file or its folder cannot be created, read or written, or is not a database.
    public var isCannotOpen: Bool { kind == .cannotOpen }
    /// A later version of the program has changed the schema.
    public var isSchemaTooNew: Bool { kind == .schemaTooNew }
    /// A row with the same unique key exists.
    public var isUniqueViolation: Bool { kind == .uniqueViolation }
    /// Any other constraint: foreign key, check, not null.
    public var isConstraintViolation: Bool { kind == .constraintViolation }
    /// Another process held the lock for longer than the busy timeout. Worth a retry.
    public var isBusy: Bool { kind == .busy }
    /// A row does not hold what this version expects, or a value cannot be stored. Trying again does not help.
    public var isUnexpectedValue: Bool { kind == .unexpectedValue }
    /// The disk or the quota is full. Nothing was written.
    public var isFull: Bool { kind == .full }
}
