/// The name of a header or trailer field: lower-case ASCII, compared byte for byte.
///
/// Well-known names are one small number inside; other names keep their text. Source: RFC 9110 section 5.1,
/// RFC 9113 section 8.2 (lower case on the wire).
public struct HTTPFieldName: Sendable, Hashable, CustomStringConvertible {
    let token: FieldToken
    /// Empty when `token` is a known name.
    let text: String

    init(_ token: FieldToken) {
        self.token = token
        text = ""
    }

    /// A name from text. Upper-case ASCII letters are lowered.
    ///
    /// - Returns: `nil` when `name` is empty or holds a byte that is not an RFC 9110 token character.
    public init?(_ name: String) {
        var lowered = [UInt8]()
        lowered.reserveCapacity(name.utf8.count)
        for byte in name.utf8 {
            guard ASCII.isToken(byte) else { return nil }
            lowered.append(ASCII.lowercased(byte))
        }
        guard !lowered.isEmpty, lowered.count <= Int(UInt16.max) else { return nil }
        token = lowered.withUnsafeBytes(FieldToken.recognise)
        text = token == .other ? String(decoding: lowered, as: UTF8.self) : ""
    }

    /// A name written in the program: a lower-case token, not checked.
    package init(known name: StaticString) {
        let bytes = UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
        token = FieldToken.recognise(bytes)
        text = token == .other ? name.description : ""
    }

    public var description: String { token == .other ? text : token.name.description }

    /// Gives the bytes of the name to `body`.
    func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        guard token == .other else { return try body(token.bytes) }
        var copy = text
        return try copy.withUTF8 { try body(UnsafeRawBufferPointer($0)) }
    }
}

extension FieldToken {
    /// The name's bytes; valid for ever.
    var bytes: UnsafeRawBufferPointer {
        let name = name
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }
}

extension HTTPFieldName {
    public static var accept: HTTPFieldName { HTTPFieldName(.accept) }
    public static var acceptEncoding: HTTPFieldName { HTTPFieldName(.acceptEncoding) }
    public static var acceptPost: HTTPFieldName { HTTPFieldName(.acceptPost) }
    public static var accessControlAllowCredentials: HTTPFieldName {
        HTTPFieldName(.accessControlAllowCredentials)
    }
    public static var accessControlAllowHeaders: HTTPFieldName { HTTPFieldName(.accessControlAllowHeaders) }
    public static var accessControlAllowMethods: HTTPFieldName { HTTPFieldName(.accessControlAllowMethods) }
    public static var accessControlAllowOrigin: HTTPFieldName { HTTPFieldName(.accessControlAllowOrigin) }
    public static var accessControlExposeHeaders: HTTPFieldName { HTTPFieldName(.accessControlExposeHeaders) }
    public static var accessControlMaxAge: HTTPFieldName { HTTPFieldName(.accessControlMaxAge) }
    public static var accessControlRequestHeaders: HTTPFieldName {
        HTTPFieldName(.accessControlRequestHeaders)
    }
    public static var accessControlRequestMethod: HTTPFieldName { HTTPFieldName(.accessControlRequestMethod) }
    public static var allow: HTTPFieldName { HTTPFieldName(.allow) }
    public static var authorization: HTTPFieldName { HTTPFieldName(.authorization) }
    public static var cacheControl: HTTPFieldName { HTTPFieldName(.cacheControl) }
    public static var connectAcceptEncoding: HTTPFieldName { HTTPFieldName(.connectAcceptEncoding) }
    public static var connectContentEncoding: HTTPFieldName { HTTPFieldName(.connectContentEncoding) }
    public static var connectProtocolVersion: HTTPFieldName { HTTPFieldName(.connectProtocolVersion) }
    public static var connectTimeoutMilliseconds: HTTPFieldName { HTTPFieldName(.connectTimeoutMilliseconds) }
    public static var connection: HTTPFieldName { HTTPFieldName(.connection) }
    public static var contentEncoding: HTTPFieldName { HTTPFieldName(.contentEncoding) }
    public static var contentLength: HTTPFieldName { HTTPFieldName(.contentLength) }
    public static var contentType: HTTPFieldName { HTTPFieldName(.contentType) }
    public static var cookie: HTTPFieldName { HTTPFieldName(.cookie) }
    public static var date: HTTPFieldName { HTTPFieldName(.date) }
    public static var expect: HTTPFieldName { HTTPFieldName(.expect) }
    public static var grpcAcceptEncoding: HTTPFieldName { HTTPFieldName(.grpcAcceptEncoding) }
    public static var grpcEncoding: HTTPFieldName { HTTPFieldName(.grpcEncoding) }
    public static var grpcMessage: HTTPFieldName { HTTPFieldName(.grpcMessage) }
    public static var grpcPreviousRPCAttempts: HTTPFieldName { HTTPFieldName(.grpcPreviousRPCAttempts) }
    public static var grpcRetryPushbackMilliseconds: HTTPFieldName {
        HTTPFieldName(.grpcRetryPushbackMilliseconds)
    }
    public static var grpcStatus: HTTPFieldName { HTTPFieldName(.grpcStatus) }
    public static var grpcStatusDetailsBin: HTTPFieldName { HTTPFieldName(.grpcStatusDetailsBin) }
    public static var grpcTimeout: HTTPFieldName { HTTPFieldName(.grpcTimeout) }
    public static var host: HTTPFieldName { HTTPFieldName(.host) }
    public static var location: HTTPFieldName { HTTPFieldName(.location) }
    public static var origin: HTTPFieldName { HTTPFieldName(.origin) }
    public static var retryAfter: HTTPFieldName { HTTPFieldName(.retryAfter) }
    public static var server: HTTPFieldName { HTTPFieldName(.server) }
    public static var te: HTTPFieldName { HTTPFieldName(.te) }
    public static var traceparent: HTTPFieldName { HTTPFieldName(.traceparent) }
    public static var tracestate: HTTPFieldName { HTTPFieldName(.tracestate) }
    public static var trailer: HTTPFieldName { HTTPFieldName(.trailer) }
    public static var transferEncoding: HTTPFieldName { HTTPFieldName(.transferEncoding) }
    public static var userAgent: HTTPFieldName { HTTPFieldName(.userAgent) }
    public static var vary: HTTPFieldName { HTTPFieldName(.vary) }
    public static var xAccelBuffering: HTTPFieldName { HTTPFieldName(.xAccelBuffering) }
    public static var xApiKey: HTTPFieldName { HTTPFieldName(.xAPIKey) }
    public static var xGrpcWeb: HTTPFieldName { HTTPFieldName(.xGRPCWeb) }
    package static var xSiloIdempotencyKey: HTTPFieldName { HTTPFieldName(.xSiloIdempotencyKey) }
    package static var xSiloOrganization: HTTPFieldName { HTTPFieldName(.xSiloOrganization) }
    package static var xSiloRequestID: HTTPFieldName { HTTPFieldName(.xSiloRequestID) }
    package static var xSiloViewer: HTTPFieldName { HTTPFieldName(.xSiloViewer) }
    public static var xUserAgent: HTTPFieldName { HTTPFieldName(.xUserAgent) }
}
