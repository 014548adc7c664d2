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

    public init() {}

    private static let protocolHeaders = ["content-type", "grpc-timeout", "x-grpc-web", "x-user-agent", "authorization"]
    private static let exposedHeaders = ["grpc-status", "grpc-message", "grpc-status-details-bin"]

    func allows(_ origin: String) -> Bool {
        origin != "null" && allowedOrigins.contains(origin)
    }

    /// Header fields of the answer to a preflight; without the permission fields when the origin is not allowed.
    func preflightFields(for request: HTTPFields) -> HTTPFields {
        var fields = HTTPFields()
        fields.append(.vary, "Origin, Access-Control-Request-Method, Access-Control-Request-Headers")
        guard let origin = request.first(.origin), allows(origin) else { return fields }
        fields.append(.accessControlAllowOrigin, origin)
        fields.append(.accessControlAllowMethods, "POST")
        fields.append(.accessControlAllowHeaders, (Self.protocolHeaders + allowedHeaders).joined(separator: ", "))
        fields.append(.accessControlMaxAge, String(preflightMaximumAgeSeconds))
        return fields
    }

    /// Adds the permission to read an answer, error answers included (rule C5).
    ///
    /// `fields` must be complete: every header in it that a browser would hide is exposed (rule C3).
    func permitReading(_ fields: inout HTTPFields, by request: HTTPFields) {
        guard !allowedOrigins.isEmpty, let origin = request.first(.origin), allows(origin) else { return }
        var exposed = Self.exposedHeaders
        fields.forEach { name, _ in
            let name = String(decoding: name, as: UTF8.self)
            if name != "content-type", name != "content-length", !exposed.contains(name) { exposed.append(name) }
        }
        fields.append(.accessControlAllowOrigin, origin)
        fields.append(.accessControlExposeHeaders, exposed.joined(separator: ", "))
        fields.append(.vary, "Origin")
    }
}
