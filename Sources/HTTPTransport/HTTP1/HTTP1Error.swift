/// HTTP/1.1 input that must not be understood. The connection ends after the answer, because where the next
/// message starts is no longer certain (request smuggling).
struct HTTP1Error: Error, Equatable, CustomStringConvertible {
    /// Status for the peer when it is a client: 400, 413, 414, 417, 431, 501, 505.
    let status: Int
    let description: String
    /// Name of the limit that was passed, where one was.
    var limit: String?

    static func bad(_ text: String) -> HTTP1Error { HTTP1Error(status: 400, description: text) }

    /// `what` is larger than the limit `name`.
    static func over(_ name: String, _ value: Int, status: Int, _ what: String) -> HTTP1Error {
        HTTP1Error(status: status, description: "\(what) larger than HTTPLimits.\(name) = \(value)", limit: name)
    }

    static func headerTooLarge(_ name: String, _ value: Int) -> HTTP1Error {
        over(name, value, status: 431, "header block")
    }
}

/// How long a body is (RFC 9112 section 6.3).
enum HTTP1BodyLength: Equatable {
    case none
    case bytes(UInt64)
    case chunked
    /// Responses only: ends with the connection.
    case untilClose
}

/// What the head of a received message says.
struct HTTP1Head {
    enum Start {
        case request(HTTPRequestHead)
        case response(HTTPResponseHead)
    }

    let start: Start
    let version: HTTPVersion
    /// The peer wants to go on with this connection afterwards.
    let keepsAlive: Bool
    let expectsContinue: Bool
    let bodyLength: HTTP1BodyLength
}

/// What ``HTTP1Parser`` finds, in order: one head, any number of body pieces, one end.
enum HTTP1Event {
    case head(HTTP1Head)
    /// A range of the bytes that were given to `next`.
    case body(Range<Int>)
    case end
}
