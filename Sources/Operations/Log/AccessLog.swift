import HTTPTransport
import Logging
import NIOCore
import RPC

/// One log line for every call that has ended, or for a sample of them.
///
/// Holds what an operator asks for and no content: no message, no metadata values except user agent and request id, no
/// error text of an OK call. Text from peers is bounded and printable.
public struct AccessLog: CallObserver {
    /// Longest user agent, request id or unknown path in a line.
    static let maximumTextByteCount = 128
    /// Longest error message in a line.
    static let maximumMessageByteCount = 256

    private let logger: Logger
    private let sample: Double
    private let excluded: Set<String>

    /// - Parameters:
    ///   - logger: lines have level `info`, and the message "call".
    ///   - sample: share of the calls with status OK that are logged, 0 to 1; failed calls are always logged.
    ///   - excludedServices: whose OK calls are never logged, such as health probes.
    public init(logger: Logger, sample: Double = 1, excludedServices: Set<String> = []) {
        self.logger = logger
        self.sample = sample
        self.excluded = excludedServices
    }

    public func callDidEnd(_ call: EndedCall) {
        if call.code == .ok {
            guard sample >= 1 || Double.random(in: 0..<1) < sample else { return }
            if let method = call.method, excluded.contains(method.service) { return }
        }
        logger.info("call", metadata: Self.metadata(call))
    }

    static func metadata(_ call: EndedCall) -> Logger.Metadata {
        var line: Logger.Metadata = [
            "method": "\(call.method?.path ?? bounded(call.path, maximumTextByteCount))",
            "grpc_status": "\(call.code)",
            "duration_ms": "\(milliseconds(call.duration))",
            "protocol": "\(protocolName(call))",
            "request_bytes": "\(call.requestByteCount)",
            "request_messages": "\(call.requestMessageCount)",
            "response_bytes": "\(call.responseByteCount)",
            "response_messages": "\(call.responseMessageCount)",
        ]
        if let address = call.remoteAddress { line["peer"] = "\(peer(address))" }
        if let identity = call.identity { line["identity"] = "\(bounded(identity, maximumTextByteCount))" }
        if let agent = call.userAgent { line["user_agent"] = "\(bounded(agent, maximumTextByteCount))" }
        if let certificate = call.peerIdentity {
            line["certificate"] = "\(bounded(certificate.subject, maximumTextByteCount))"
            line["certificate_sha256"] = "\(certificate.sha256Fingerprint)"
        }
        if let id = call.requestID ?? call.metadata[RequestIDInterceptor.name] {
            line["request_id"] = "\(bounded(id, maximumTextByteCount))"
        }
        if let trace = call.trace {
            line["trace_id"] = "\(trace.traceID.text)"
            line["span_id"] = "\(trace.spanIDText)"
        }
        if let error = call.error, !error.message.isEmpty {
            line["error"] = "\(bounded(error.message, maximumMessageByteCount))"
        }
        return line
    }

    static func protocolName(_ call: EndedCall) -> String {
        let version =
            switch call.httpVersion {
            case .http2: "h2"
            case .http1_1: "http/1.1"
            case .http1_0: "http/1.0"
            }
        return "\(bounded(call.contentType, 64)) \(version)"
    }

    static func peer(_ address: SocketAddress) -> String {
        guard let ip = address.ipAddress, let port = address.port else { return address.pathname ?? "unknown" }
        return ip.contains(":") ? "[\(ip)]:\(port)" : "\(ip):\(port)"
    }

    /// Milliseconds with three digits after the point.
    static func milliseconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let microseconds = seconds &* 1_000_000 &+ attoseconds / 1_000_000_000_000
        let rest = String(microseconds % 1000)
        return "\(microseconds / 1000)." + String(repeating: "0", count: max(0, 3 - rest.utf8.count)) + rest
    }

    /// At most that many bytes of printable ASCII: anything else is percent-encoded, and a cut shows as `...`.
    static func bounded(_ text: String, _ maximum: Int) -> String {
        var result: [UInt8] = []
        for byte in text.utf8 {
            let isPlain = (0x20...0x7E).contains(byte) && byte != UInt8(ascii: "%")
            let piece = isPlain ? [byte] : [UInt8(ascii: "%"), hexadecimal(byte >> 4), hexadecimal(byte & 15)]
            guard result.count + piece.count <= maximum else {
                result += Array("...".utf8)
                break
            }
            result += piece
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func hexadecimal(_ digit: UInt8) -> UInt8 {
        digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "A") + digit - 10
    }
}
