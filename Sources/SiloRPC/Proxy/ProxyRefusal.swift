import FrameCodec
import HTTPTransport
import NIOCore
import RPC

/// Why the proxy answers a request itself, in words that a program can tell apart.
///
/// ```
/// 401 403  as the key says          502 CELL_ANSWER_BROKEN   the cell's answer broke off
/// 429 TOO_MANY_CALLS                503 CELL_UNKNOWN         control's own table cannot be read
/// 421 NO_CELL                       503 CELL_UNREACHABLE     no connection          retry-after
/// 508 PROXY_LOOP                    503 CELL_PAUSED          its last ones failed   retry-after
/// 499 client has gone               503 CELL_BUSY            all places are taken   retry-after
///                                   504 CELL_TIMEOUT         not in the caller's time
/// ```
struct ProxyRefusal: Error, Sendable, Hashable {
    /// How the request asks to be answered.
    enum Form: Sendable {
        /// A path of a method: gRPC and gRPC-Web get a status, everything else HTTP's with Connect's JSON.
        case call
        /// A plain resource: RFC 9457 problem details.
        case resource
    }

    let status: Int
    let code: StatusCode
    let reason: String
    let text: String

    static let loop = ProxyRefusal(
        status: 508, code: .internalError, reason: "PROXY_LOOP",
        text: "this request has been handed on already; the addresses of silos form a loop")
    static let noCell = ProxyRefusal(
        status: 421, code: .failedPrecondition, reason: "NO_CELL", text: "no cell has the organization of this key")
    static let paused = ProxyRefusal(
        status: 503, code: .unavailable, reason: "CELL_PAUSED", text: "the cell does not answer; requests to it pause")
    static let unreachable = ProxyRefusal(
        status: 503, code: .unavailable, reason: "CELL_UNREACHABLE", text: "the cell cannot be reached now")
    static let unknown = ProxyRefusal(
        status: 503, code: .unavailable, reason: "CELL_UNKNOWN",
        text: "the cell of the organization cannot be found now")
    static let late = ProxyRefusal(
        status: 504, code: .deadlineExceeded, reason: "CELL_TIMEOUT", text: "the cell did not answer in time")
    static let broken = ProxyRefusal(
        status: 502, code: .unavailable, reason: "CELL_ANSWER_BROKEN", text: "the cell's answer broke off")
    static let gone = ProxyRefusal(status: 499, code: .cancelled, reason: "CLIENT_GONE", text: "the client has gone")

    static func busy(_ limit: Int) -> ProxyRefusal {
        ProxyRefusal(
            status: 503, code: .unavailable, reason: "CELL_BUSY",
            text: "maximumProxiedExchanges = \(limit) requests to this cell are running")
    }

    /// What the server says of its own calls, too.
    static func share(_ limit: Int) -> ProxyRefusal {
        ProxyRefusal(
            status: 429, code: .resourceExhausted, reason: "TOO_MANY_CALLS",
            text: "this organization has maximumProxiedExchangesPerOrganization = \(limit) requests running; wait for "
                + "one to end")
    }

    /// Of the check of the key.
    init(_ error: RPCError) {
        let status = error.code == .unauthenticated ? 401 : error.code == .permissionDenied ? 403 : 503
        let reason = error.detail(GoogleRPC.ErrorInfo.self)?.reason ?? "KEY_NOT_CHECKED"
        self.init(status: status, code: error.code, reason: reason, text: error.message)
    }

    /// What became of a request that was sent, or could not be.
    init(of error: any Error) {
        self =
            switch error {
            case let refusal as ProxyRefusal: refusal
            case HTTPClientError.connection(.cancelled), is CancellationError: .gone
            case HTTPClientError.connection: .unreachable
            case HTTPClientError.timedOut: .late
            case HTTPClientError.stream(.cancelled): .gone
            case is HTTPStreamError: .gone
            case is SiloError, is ConnectionTargetError: .unreachable
            default: .broken
            }
    }

    private init(status: Int, code: StatusCode, reason: String, text: String) {
        (self.status, self.code, self.reason, self.text) = (status, code, reason, text)
    }

    // MARK: Answer

    /// The text never says where the cell is. A page of an allowed origin may read it.
    func answer(_ exchange: HTTPExchange, _ form: Form, _ crossOrigin: CrossOriginPolicy) {
        let type = exchange.fields.first(.contentType) ?? ""
        var fields = HTTPFields()
        if status == 503 { fields.append(.retryAfter, "1") }
        if form == .call, type.hasPrefix("application/grpc") {
            fields.append(.contentType, type)
            fields.append(.grpcStatus, "\(code.rawValue)")
            fields.append(.grpcMessage, text)
            let details = Base64.encode(details.serializedBytes(), padded: false)
            fields.append(.grpcStatusDetailsBin, String(decoding: details, as: UTF8.self))
            crossOrigin.permitReading(&fields, by: exchange.fields)
            exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
            return exchange.finish()
        }
        fields.append(.contentType, form == .call ? "application/json" : "application/problem+json")
        if form == .resource { fields.append(.cacheControl, "no-store") }
        crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: status == 499 ? 502 : status, fields: fields))
        exchange.sendLast(ByteBuffer(string: form == .call ? connect : problem))
    }

    private var info: GoogleRPC.ErrorInfo { GoogleRPC.ErrorInfo(reason: reason, domain: "silo") }

    private var details: GoogleRPC.Status {
        let status = Int32(truncatingIfNeeded: code.rawValue)
        return GoogleRPC.Status(code: status, message: text, details: [Protobuf.`Any`(packing: info)])
    }

    private var quotedText: String { 
        String(decoding: (try? Protobuf.StringValue(value: text).jsonBytes()) ?? Array("\"\"".utf8), as: UTF8.self)
    }

    private var connect: String {
        let detail = String(decoding: Base64.encode(info.serializedBytes(), padded: false), as: UTF8.self)
        return #"{"code":"\#(code.connectName)","message":\#(quotedText),"#
            + #""details":[{"type":"google.rpc.ErrorInfo","value":"\#(detail)"}]}"#
    }

    private var problem: String {
        #"{"type":"about:blank","title":"\#(title)","status":\#(status == 499 ? 502 : status),"detail":\#(quotedText),"#
            + #""code":"\#(code)","reason":"\#(reason)","domain":"silo"}"#
    }

    private var title: String {
        switch status {
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 421: "Misdirected Request"
        case 429: "Too Many Requests"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 508: "Loop Detected"
        default: "Bad Gateway"
        }
    }
}
