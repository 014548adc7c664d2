import HTTPTransport

/// Metadata of calls between silos. All of it is signed (``Silo1Fields/routingPrefix``), and never taken from or given
/// to the public.
public enum SiloField {
    /// Whose data the call is about: the organization's id.
    public static let organization = "x-silo-organization"
    /// The same for every attempt of a call.
    public static let idempotencyKey = "x-silo-idempotency-key"
    /// Names one call in the logs of both sides.
    public static let requestID = "x-silo-request-id"
    /// Set by the proxy: a request that has it is never handed on again.
    public static let hop = "x-silo-hop"
    /// Who acts: ``SiloViewer/text``.
    public static let viewer = "x-silo-viewer"
}

/// The same as names that the transport knows by heart.
enum SiloFieldName {
    static var organization: HTTPFieldName { .xSiloOrganization }
    static var idempotencyKey: HTTPFieldName { .xSiloIdempotencyKey }
    static var requestID: HTTPFieldName { .xSiloRequestID }
    static var viewer: HTTPFieldName { .xSiloViewer }
}
