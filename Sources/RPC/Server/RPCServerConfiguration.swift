import FrameCodec
import NIOCore

/// Limits and policies of the calls of one server. Every limit's name stands in the error that it causes.
public struct RPCServerConfiguration: Sendable {
    /// Largest request message, in bytes after inflating; the declared length is checked before anything is
    /// allocated (rule P8). Default 4 MiB.
    public var maximumRequestMessageByteCount = 4 * 1024 * 1024
    /// Largest response message, in bytes. Default 64 MiB.
    public var maximumResponseMessageByteCount = 64 * 1024 * 1024
    /// Deadline of a unary call whose client sent none (rule T5); nil for none. Default 30 s.
    public var defaultUnaryTimeout: Duration? = .seconds(30)
    /// Longest deadline of a unary call, whatever the client asks; nil for no clamp. Default 300 s.
    public var maximumUnaryTimeout: Duration? = .seconds(300)
    /// Longest life of a streaming call; nil for no clamp. Default 30 min.
    public var maximumStreamTimeout: Duration? = .seconds(30 * 60)
    /// Most bytes of a bidirectional request over HTTP/1.1, which is read whole before it is answered. Default 4 MiB.
    public var maximumHalfDuplexByteCount = 4 * 1024 * 1024
    /// How long such a request may pause before its client is told that full duplex needs HTTP/2. Default 4 s; a value
    /// above `HTTPTimeouts.bodyGrace` lets the transport close the connection first.
    public var halfDuplexGrace: Duration = .seconds(4)
    /// What is compressed, and what is accepted.
    public var compression = CompressionPolicy()
    /// Message types that may stand in a `google.protobuf.Any` of a JSON call, besides the well-known ones. Default:
    /// the details of errors.
    public var jsonTypes = GoogleRPC.errorDetails
    /// Origins whose pages may call from a browser.
    public var crossOrigin = CrossOriginPolicy()

    /// Told of every call that has ended, such as an access log; nil for nobody.
    public var observer: (any CallObserver)?

    public init() {}

    /// One copy for all calls of a server.
    final class Shared: Sendable {
        let values: RPCServerConfiguration
        /// Whether any origin may call.
        let permitsOrigins: Bool
        /// Whether anybody is told of calls.
        let isObserved: Bool
        let halfDuplexGrace: TimeAmount
        private let defaultUnary: UInt64?
        private let maximumUnary: UInt64?
        private let maximumStream: UInt64?

        init(_ values: RPCServerConfiguration) {
            self.values = values
            isObserved = values.observer != nil
            permitsOrigins = !values.crossOrigin.allowedOrigins.isEmpty
            halfDuplexGrace = .nanoseconds(Int64(clamping: Self.nanoseconds(values.halfDuplexGrace)))
            defaultUnary = values.defaultUnaryTimeout.map(Self.nanoseconds)
            maximumUnary = values.maximumUnaryTimeout.map(Self.nanoseconds)
            maximumStream = values.maximumStreamTimeout.map(Self.nanoseconds)
        }

        /// The deadline of a call, in nanoseconds from now, from what its client asked for; nil for none.
        func effectiveTimeout(requested: UInt64?, kind: MethodDescriptor.Kind) -> UInt64? {
            let isUnary = kind == .unary
            let wanted = requested ?? (isUnary ? defaultUnary : nil)
            guard let clamp = isUnary ? maximumUnary : maximumStream else { return wanted }
            return min(wanted ?? clamp, clamp)
        }

        private static func nanoseconds(_ duration: Duration) -> UInt64 {
            let (seconds, attoseconds) = duration.components
            let (whole, overflow) = UInt64(max(0, seconds)).multipliedReportingOverflow(by: 1_000_000_000)
            return overflow ? .max : whole &+ UInt64(max(0, attoseconds) / 1_000_000_000)
        }
    }
}

extension StaticString {
    /// The text's bytes; valid for ever.
    var bytes: UnsafeRawBufferPointer {
        UnsafeRawBufferPointer(start: utf8Start, count: utf8CodeUnitCount)
    }
}
