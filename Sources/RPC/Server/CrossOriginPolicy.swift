import HTTPTransport

/// Which browser origins may call. Denied unless listed (rules C1 to C6).
///
/// Origins are compared whole: `https://app.example` allows neither `https://app.example.evil` nor a subdomain, and
/// the opaque origin `null` is never allowed.
public struct CrossOriginPolicy: Sendable {
    /// Exact origins, such as `https://app.example` or `http://localhost:8000`. Empty denies all.
    public var allowedOrigins: Set<String> = []
    /// Request header names that pages may send beyond those that the protocols need.
    public var allowedHeaders: [String] = ["x-api-key"]
    /// Seconds a browser may remember a preflight's answer. 7200 is the most that Chrome keeps.
    public var preflightMaximumAgeSeconds = 7200

    /// Lets pages send cookies and client certificates along (`Access-Control-Allow-Credentials`). A call that carries
    /// a cookie must then also carry a header that no page can send without a preflight (rule C6). Default false.
    public var allowsCredentials = false

    public init() {}

    private static let protocolHeaders = [
        "content-type", "grpc-timeout", "x-grpc-web", "x-user-agent", "authorization", "grpc-accept-encoding",
        "grpc-encoding", "connect-protocol-version", "connect-timeout-ms", "connect-accept-encoding",
        "connect-content-encoding", "content-encoding",
    ]
    private static let exposedHeaders = ["grpc-status", "grpc-message", "grpc-status-details-bin"]

    func allows(_ origin: String) -> Bool {
        origin != "null" && allowedOrigins.contains(origin)
    }

    /// Header fields of the answer to a preflight; without the permission fields when the origin is not allowed.
    ///
    /// - Parameter methods: what the resource can be asked with, comma-separated.
    func preflightFields(for request: HTTPFields, methods: String) -> HTTPFields {
        var fields = HTTPFields()
        fields.append(.vary, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
        guard let origin = request.first(.origin), allows(origin) else { return fields }
        fields.append(.accessControlAllowOrigin, origin)
        fields.append(.accessControlAllowMethods, methods)
        fields.append(.accessControlAllowHeaders, (Self.protocolHeaders + allowedHeaders).joined(separator: ", "))
        fields.append(.accessControlMaxAge, String(preflightMaximumAgeSeconds))
        if allowsCredentials { fields.append(.accessControlAllowCredentials, "true") }
        return fields
    }

    /// Adds the permission to read an answer, error answers included (rule C5).
    ///
    /// `fields` must be complete: every header in it that a browser would hide is exposed (rule C3).
    public func permitReading(_ fields: inout HTTPFields, by request: HTTPFields) {
        guard !allowedOrigins.isEmpty else { return }
        guard let origin = request.first(.origin), allows(origin) else { return fields.append(.vary, "Origin") }
        var exposed = Self.exposedHeaders
        fields.forEach { name, _ in
            let name = String(decoding: name, as: UTF8.self)
            if name != "content-type", name != "content-length", !exposed.contains(name) { exposed.append(name) }
        }
        fields.append(.accessControlAllowOrigin, origin)
        fields.append(.accessControlExposeHeaders, exposed.joined(separator: ", "))
        if allowsCredentials { fields.append(.accessControlAllowCredentials, "true") }
        fields.append(.vary, "Origin")
    }

    /// What makes an answer of the transport itself readable: for `HTTPServerConfiguration.refusalFields` (rule C5).
    public func refusalFields(for request: HTTPFields) -> HTTPFields {
        var fields = HTTPFields()
        permitReading(&fields, by: request)
        return fields
    }

    /// Whether a page of any origin could have made this call with the user's cookies (rule C6): it has a cookie, and
    /// none of the headers that need a preflight.
    func isForgeable(_ request: HTTPFields, _ method: MethodDescriptor) -> Bool {
        allowsCredentials && request.count(of: .cookie) > 0 && method.idempotency != .noSideEffects
            && request.count(of: .xGrpcWeb) == 0 && request.count(of: .authorization) == 0
            && request.count(of: .connectProtocolVersion) == 0
    }
}
