import HTTPTransport

/// How calls travel. Each protocol declares what it accepts; `Allow`, `Accept-Post`, 405, 415 and 505 follow from that.
///
/// | protocol | request | HTTP | methods |
/// |---|---|---|---|
/// | gRPC | POST `application/grpc` | 2 only: its status travels in trailers | all |
/// | gRPC-Web, binary and text | POST `application/grpc-web`, `-text` | any | all |
/// | Connect unary | POST `application/proto`, `application/json` | any | unary |
/// | Connect GET | GET with the message in the query | any | unary without side effects |
/// | Connect streaming | POST `application/connect+proto`, `+json` | any | streaming |
/// | REST | what ``RESTRoutes`` says, JSON | any | unary |
///
/// Sources: gRPC PROTOCOL-HTTP2 and PROTOCOL-WEB, Connect Protocol Reference.
enum WireProtocol: UInt8, Sendable, CaseIterable {
    case grpc, web, webText, connectUnary, connectGet, connectStream, rest

    var httpMethod: HTTPMethod { self == .connectGet ? .get : .post }

    var needsHTTP2: Bool { self == .grpc }

    func serves(_ method: MethodDescriptor) -> Bool {
        switch self {
        case .grpc, .web, .webText: true
        case .connectUnary: method.kind == .unary
        case .connectGet: method.kind == .unary && method.idempotency == .noSideEffects
        case .connectStream: method.kind != .unary
        case .rest: method.kind == .unary
        }
    }

    /// Status in a last frame of the body (gRPC-Web).
    var isWeb: Bool { self == .web || self == .webText }

    /// Connect, and REST, which is the same but for its paths and its errors.
    var isConnect: Bool { rawValue >= WireProtocol.connectUnary.rawValue }

    /// Whether the body is a row of frames; else it is one message.
    var isFramed: Bool { !isWholeBody && self != .connectGet }

    /// Whether the body is the message, under `content-encoding` if it is compressed.
    var isWholeBody: Bool { self == .connectUnary || self == .rest }

    /// The status of input that does not decode (rules P13, T3): gRPC calls it INTERNAL, Connect the caller's mistake.
    var badInputCode: StatusCode { isConnect ? .invalidArgument : .internalError }

    /// The verbs by which `method` can be called, comma-separated.
    static func verbs(_ method: MethodDescriptor) -> String {
        var verbs: [String] = []
        for candidate in allCases where candidate.serves(method) {
            let verb = candidate.httpMethod.description
            if !verbs.contains(verb) { verbs.append(verb) }
        }
        return verbs.joined(separator: ", ")
    }
}
