import FrameCodec
import HTTPTransport

/// The unsuccessful outcome of one call, as both sides see it.
///
/// On a server: throw it from a handler or an interceptor, and the client receives `code`, `message`, `details`
/// (as `grpc-status-details-bin`) and `metadata` (as trailers). On a client: what a call throws.
/// Any other error that leaves a handler becomes UNKNOWN with a generic text, so that internal text never leaves.
public struct RPCError: Error, Sendable {
    /// Never `.ok`.
    public var code: StatusCode
    /// For a developer; UTF-8, at most ``maximumMessageByteCount`` bytes reach the wire.
    public var message: String
    /// Typed details, usually `GoogleRPC.ErrorInfo`, `.BadRequest` or `.RetryInfo`.
    public var details: [Protobuf.`Any`]
    /// Trailing metadata that goes with the error.
    public var metadata: Metadata
    /// When a client that retries may try again (`grpc-retry-pushback-ms`, rule S10); negative for never, nil to leave
    /// it to the client's policy.
    public var retryPushback: Duration?
    /// On a client: the server certainly did nothing, because no connection was made or the stream was refused;
    /// whatever the call does, it may be made again (rules H2c, S7).
    public var wasNotProcessed = false
    /// Fields of the wire protocol that explain the error, such as the encodings that are accepted.
    var protocolFields = HTTPFields()

    /// Longest `grpc-message` before percent encoding, in bytes; longer texts are cut at a character.
    public static let maximumMessageByteCount = 1024
    /// Longest `grpc-status-details-bin` before base64, in bytes: with the message it fits into the 8 KiB of header
    /// fields that clients take (rule M8). Of details that do not fit the first ones are sent.
    public static let maximumDetailsByteCount = 4096

    public init(_ code: StatusCode, _ message: String, details: [any Message] = [], metadata: Metadata = Metadata()) {
        self.code = code
        self.message = message
        self.details = details.map(Protobuf.`Any`.init(packing:))
        self.metadata = metadata
    }

    /// The answer of a method that exists in the contract and is not served here.
    public static func unimplemented(_ method: MethodDescriptor) -> RPCError {
        RPCError(.unimplemented, "method \(method.path) is not served here")
    }
}

extension RPCError: CustomStringConvertible {
    public var description: String { "\(code): \(message)" }
}

extension RPCError {
    /// The detail of the given message type, when the error carries one that decodes.
    public func detail<M: Message>(_ type: M.Type) -> M? {
        for detail in details where detail.holds(type) {
            if let message = try? detail.unpack(type) { return message }
        }
        return nil
    }

    /// Value of `grpc-retry-pushback-ms`: decimal milliseconds, `-1` for never.
    var retryPushbackText: String? {
        retryPushback.map { pushback in
            let (seconds, attoseconds) = pushback.components
            guard seconds >= 0, attoseconds >= 0 else { return "-1" }
            let (milliseconds, overflow) = seconds.multipliedReportingOverflow(by: 1000)
            return String(overflow ? Int64(Int32.max) : milliseconds &+ attoseconds / 1_000_000_000_000_000)
        }
    }

    /// `message` cut to ``maximumMessageByteCount`` bytes without splitting a character.
    var boundedMessage: String {
        guard message.utf8.count > Self.maximumMessageByteCount else { return message }
        var cut = ""
        var byteCount = 0
        for character in message {
            byteCount += String(character).utf8.count
            if byteCount > Self.maximumMessageByteCount { break }
            cut.append(character)
        }
        return cut
    }

    /// `google.rpc.Status`, serialised, for `grpc-status-details-bin` (rule S3); nil when there are no details.
    func serializedStatus() -> [UInt8]? {
        guard !details.isEmpty else { return nil }
        var status = GoogleRPC.Status(
            code: Int32(truncatingIfNeeded: code.rawValue), message: boundedMessage, details: details)
        while status.encodedByteCount > Self.maximumDetailsByteCount {
            guard status.details.popLast() != nil else { return nil }
        }
        return status.details.isEmpty ? nil : status.serializedBytes()
    }
}

/// An error of an application that knows its own status.
public protocol RPCErrorConvertible: Error {
    /// The status that the client shall see.
    var rpcError: RPCError { get }
}
