/// Why an administrative operation was refused.
public struct SiloError: Error, Sendable, Equatable, CustomStringConvertible {
    enum Kind: Sendable, Equatable { case invalid, notFound, exists }

    let kind: Kind
    /// For the operator.
    public let description: String

    init(_ kind: Kind, _ description: String) {
        self.kind = kind
        self.description = description
    }

    public var isInvalid: Bool { kind == .invalid }
    public var isNotFound: Bool { kind == .notFound }
    public var isExisting: Bool { kind == .exists }
}
