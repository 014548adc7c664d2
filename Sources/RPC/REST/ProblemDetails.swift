import FrameCodec
import HTTPTransport

/// Errors of REST calls: RFC 9457, with what the status of the call says besides.
///
/// ```
/// {"type":"about:blank","title":"Not Found","status":404,"detail":"there is no such repository ...",
///  "code":"NOT_FOUND","reason":"REPOSITORY_NOT_FOUND","domain":"scm","violations":[{"field":..,"description":..}]}
/// ```
///
/// `reason` (and `domain`, `metadata`) come from the call's ErrorInfo, `violations` from its BadRequest, and the header
/// `retry-after` from its RetryInfo.
enum ProblemDetails {
    static func fields(_ error: RPCError) -> HTTPFields {
        var fields = head
        if let delay = error.detail(GoogleRPC.RetryInfo.self)?.retryDelay, delay.seconds >= 0 {
            fields.append(HTTPFieldName(known: "retry-after"), String(delay.seconds &+ (delay.nanos > 0 ? 1 : 0)))
        }
        if error.code == .unauthenticated { fields.append(HTTPFieldName(known: "www-authenticate"), "Bearer") }
        return fields
    }

    static let head: HTTPFields = {
        var fields = HTTPFields()
        fields.append(.contentType, "application/problem+json")
        fields.append(.cacheControl, "no-store")
        return fields
    }()

    static func json(_ error: RPCError) -> [UInt8] {
        var members = common(status: error.code.connectHTTPStatus, detail: error.boundedMessage)
        members.append(("code", .text("\(error.code)")))
        if let info = error.detail(GoogleRPC.ErrorInfo.self) {
            members.append(("reason", .text(info.reason)))
            members.append(("domain", .text(info.domain)))
            let facts = info.metadata.sorted { $0.key < $1.key }.map { ($0.key, JSONValue.text($0.value)) }
            if !facts.isEmpty { members.append(("metadata", .object(facts))) }
        }
        if let bad = error.detail(GoogleRPC.BadRequest.self) {
            members.append(("violations", .list(bad.fieldViolations.map {
                .object([("field", .text($0.field)), ("description", .text($0.description))])
            })))
        }
        return JSONValue.object(members).bytes
    }

    /// A problem with the request as HTTP, before it is a call.
    static func json(status: Int, detail: String) -> [UInt8] {
        JSONValue.object(common(status: status, detail: detail)).bytes
    }

    private static func common(status: Int, detail: String) -> [(String, JSONValue)] {
        [
            ("type", .text("about:blank")), ("title", .text(title(status))), ("status", .number(status)),
            ("detail", .text(detail)),
        ]
    }

    private static func title(_ status: Int) -> String {
        switch status {
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 409: "Conflict"
        case 415: "Unsupported Media Type"
        case 429: "Too Many Requests"
        case 499: "Client Closed Request"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        default: "Internal Server Error"
        }
    }
}

/// JSON whose members keep their order.
indirect enum JSONValue: Sendable {
    case text(String)
    case number(Int)
    case boolean(Bool)
    case list([JSONValue])
    case object([(String, JSONValue)])

    var bytes: [UInt8] {
        switch self {
        case .text(let text): return JSONText.quoted(text)
        case .number(let number): return Array(String(number).utf8)
        case .boolean(let value): return Array((value ? "true" : "false").utf8)
        case .list(let items):
            return [UInt8(ascii: "[")] + items.map(\.bytes).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
        case .object(let members):
            let texts = members.map { JSONText.quoted($0.0) + [UInt8(ascii: ":")] + $0.1.bytes }
            return [UInt8(ascii: "{")] + texts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
        }
    }
}
