/// Who is acting, for the services that a call passes: set where a request comes in, carried along by every call
/// between silos.
public struct SiloViewer: Sendable, Hashable {
    /// What kind of somebody acts.
    public enum Kind: String, Sendable, Hashable {
        case user, serviceAccount = "service-account", system, integration, agent
        /// Nobody said, or a newer silo said something that this one does not know.
        case unknown
    }

    public var kind: Kind
    public var organizationID: Int64?
    public var userID: Int64?

    public init(kind: Kind = .unknown, organizationID: Int64? = nil, userID: Int64? = nil) {
        self.kind = kind
        self.organizationID = organizationID
        self.userID = userID
    }

    /// `user;organization=3;user=7`: what travels.
    public var text: String {
        kind.rawValue + (organizationID.map { ";organization=\($0)" } ?? "") + (userID.map { ";user=\($0)" } ?? "")
    }

    /// - Throws: ``SiloError/validation(code:message:)`` for parts that are no numbers or not known.
    public init(text: String) throws(SiloError) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false)
        self.init(kind: Kind(rawValue: String(parts[0])) ?? .unknown)
        for part in parts.dropFirst() {
            let pair = part.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard pair.count == 2, let number = Int64(pair[1]), number > 0 else { throw Self.malformed }
            switch pair[0] {
            case "organization": organizationID = number
            case "user": userID = number
            default: throw Self.malformed
            }
        }
    }

    private static let malformed = SiloError.validation(
        code: "MALFORMED_VIEWER", message: "the viewer is not KIND;organization=ID;user=ID")
}
