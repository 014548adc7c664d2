/// Field names this package knows by heart, so that a received name becomes one small number without a
/// `String`.
///
/// Raw value 0 means "some other name": its bytes are then stored with the field.
enum FieldToken: UInt8, Sendable {
    case other = 0
    case accept, acceptEncoding, allow, authorization, cacheControl, connection, contentEncoding,
        contentLength
    case contentType, cookie, date, expect, host, keepAlive, location, origin, priority, proxyConnection,
        retryAfter, server
    case te, trailer, transferEncoding, upgrade, userAgent, vary
    case accessControlAllowHeaders, accessControlAllowMethods, accessControlAllowOrigin
    case accessControlAllowCredentials, accessControlExposeHeaders, accessControlMaxAge
    case accessControlRequestHeaders, accessControlRequestMethod
    case acceptPost
    case grpcAcceptEncoding, grpcEncoding, grpcMessage, grpcPreviousRPCAttempts, grpcRetryPushbackMilliseconds
    case grpcStatus, grpcStatusDetailsBin, grpcTimeout
    case connectAcceptEncoding, connectContentEncoding, connectProtocolVersion, connectTimeoutMilliseconds
    case traceparent, tracestate, xAccelBuffering, xAPIKey, xGRPCWeb, xUserAgent
    case xSiloIdempotencyKey, xSiloOrganization, xSiloRequestID, xSiloViewer

    /// The token's bit in ``FieldStorageHeader/tokenBits``; there are fewer than 64 tokens.
    var bit: UInt64 { 1 &<< UInt64(rawValue) }

    /// The name as it stands on the wire. The memory is part of the program image and never goes away.
    var name: StaticString {
        switch self {
        case .other: ""
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .acceptPost: "accept-post"
        case .accessControlAllowCredentials: "access-control-allow-credentials"
        case .accessControlAllowHeaders: "access-control-allow-headers"
        case .accessControlAllowMethods: "access-control-allow-methods"
        case .accessControlAllowOrigin: "access-control-allow-origin"
        case .accessControlExposeHeaders: "access-control-expose-headers"
        case .accessControlMaxAge: "access-control-max-age"
        case .accessControlRequestHeaders: "access-control-request-headers"
        case .accessControlRequestMethod: "access-control-request-method"
        case .allow: "allow"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .connectAcceptEncoding: "connect-accept-encoding"
        case .connectContentEncoding: "connect-content-encoding"
        case .connectProtocolVersion: "connect-protocol-version"
        case .connectTimeoutMilliseconds: "connect-timeout-ms"
        case .connection: "connection"
        case .contentEncoding: "content-encoding"
        case .contentLength: "content-length"
        case .contentType: "content-type"
        case .cookie: "cookie"
        case .date: "date"
        case .expect: "expect"
        case .grpcAcceptEncoding: "grpc-accept-encoding"
        case .grpcEncoding: "grpc-encoding"
        case .grpcMessage: "grpc-message"
        case .grpcPreviousRPCAttempts: "grpc-previous-rpc-attempts"
        case .grpcRetryPushbackMilliseconds: "grpc-retry-pushback-ms"
        case .grpcStatus: "grpc-status"
        case .grpcStatusDetailsBin: "grpc-status-details-bin"
        case .grpcTimeout: "grpc-timeout"
        case .host: "host"
        case .keepAlive: "keep-alive"
        case .location: "location"
        case .origin: "origin"
        case .priority: "priority"
        case .proxyConnection: "proxy-connection"
        case .retryAfter: "retry-after"
        case .server: "server"
        case .te: "te"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .userAgent: "user-agent"
        case .vary: "vary"
        case .xAccelBuffering: "x-accel-buffering"
        case .xAPIKey: "x-api-key"
        case .xGRPCWeb: "x-grpc-web"
        case .xSiloIdempotencyKey: "x-silo-idempotency-key"
        case .xSiloOrganization: "x-silo-organization"
        case .xSiloRequestID: "x-silo-request-id"
        case .xSiloViewer: "x-silo-viewer"
        case .xUserAgent: "x-user-agent"
        }
    }

    /// Fields that belong to one connection and must never travel in HTTP/2 (RFC 9113 section 8.2.2).
    var isConnectionSpecific: Bool {
        switch self {
        case .connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade: true
        default: false
        }
    }

    /// The token of a lower-case name; ``other`` when it is none of the known ones.
    static func recognise(_ name: UnsafeRawBufferPointer) -> FieldToken {
        switch name.count {
        case 2: first(.te, in: name)
        case 4: first(.host, .date, .vary, in: name)
        case 5: first(.allow, in: name)
        case 6: first(.accept, .origin, .cookie, .expect, .server, in: name)
        case 7: first(.upgrade, .trailer, in: name)
        case 8: first(.location, .priority, in: name)
        case 9: first(.xAPIKey, in: name)
        case 10: first(.userAgent, .xGRPCWeb, .connection, .keepAlive, .tracestate, in: name)
        case 11: first(.grpcStatus, .traceparent, .retryAfter, .acceptPost, in: name)
        case 12: first(.contentType, .grpcTimeout, .grpcMessage, .xUserAgent, in: name)
        case 13: first(.grpcEncoding, .authorization, .cacheControl, .xSiloViewer, in: name)
        case 14: first(.contentLength, in: name)
        case 15: first(.acceptEncoding, in: name)
        case 16: first(.contentEncoding, .proxyConnection, in: name)
        case 17: first(.transferEncoding, .xAccelBuffering, .xSiloRequestID, in: name)
        case 18: first(.connectTimeoutMilliseconds, in: name)
        case 19: first(.xSiloOrganization, in: name)
        case 20: first(.grpcAcceptEncoding, in: name)
        case 22: first(.accessControlMaxAge, .grpcRetryPushbackMilliseconds, .xSiloIdempotencyKey, in: name)
        case 23: first(.grpcStatusDetailsBin, .connectAcceptEncoding, in: name)
        case 24: first(.connectContentEncoding, .connectProtocolVersion, in: name)
        case 26: first(.grpcPreviousRPCAttempts, in: name)
        case 27: first(.accessControlAllowOrigin, in: name)
        case 28: first(.accessControlAllowHeaders, .accessControlAllowMethods, in: name)
        case 29: first(.accessControlExposeHeaders, .accessControlRequestMethod, in: name)
        case 30: first(.accessControlRequestHeaders, in: name)
        case 32: first(.accessControlAllowCredentials, in: name)
        default: .other
        }
    }

    private static func first(_ candidates: FieldToken..., in name: UnsafeRawBufferPointer) -> FieldToken {
        for candidate in candidates where candidate.matches(name) { return candidate }
        return .other
    }

    private func matches(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.elementsAre(name)
    }
}
