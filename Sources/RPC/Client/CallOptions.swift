import Compression
import NIOCore
import ServiceContextModule

/// What a caller can say of one call.
public struct CallOptions: Sendable {
    /// Metadata sent with the call, after the channel's own.
    public var metadata: Metadata
    /// Time from the start of the call until it fails with DEADLINE_EXCEEDED; carried to the server as
    /// `grpc-timeout`. nil takes the method's, then the channel's default.
    public var timeout: Duration?
    /// The call must be over by then, whatever its timeout.
    public var deadline: NIODeadline?
    /// Wait while no server can be reached, instead of failing at once with UNAVAILABLE; until the deadline. nil takes
    /// the method's setting, else false. Source: gRPC "Wait for Ready".
    public var waitsForReady: Bool?
    /// Compresses the request's messages. nil takes the channel's default.
    public var compression: CompressionAlgorithm?
    /// Sends messages uncompressed although the channel compresses, because they carry secrets.
    public var forbidsCompression = false
    /// For interceptors, such as the trace span that the call belongs to.
    public var serviceContext: ServiceContext

    public init(
        metadata: Metadata = Metadata(), timeout: Duration? = nil, deadline: NIODeadline? = nil,
        waitsForReady: Bool? = nil, compression: CompressionAlgorithm? = nil,
        serviceContext: ServiceContext = .topLevel
    ) {
        self.metadata = metadata
        self.timeout = timeout
        self.deadline = deadline
        self.waitsForReady = waitsForReady
        self.compression = compression
        self.serviceContext = serviceContext
    }

    /// For calls that serve another call: what is left of its time is theirs (rule T8), and they belong to its trace.
    public init(servedCall context: CallContext, metadata: Metadata = Metadata()) {
        self.init(metadata: metadata, deadline: context.deadline, serviceContext: context.serviceContext)
    }
}
