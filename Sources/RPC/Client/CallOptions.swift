/// What a caller can say of one call.
public struct CallOptions: Sendable {
    /// Metadata sent with the call, after the channel's own.
    public var metadata: Metadata
    /// Time from the start of the call until it fails with DEADLINE_EXCEEDED; carried to the server as
    /// `grpc-timeout`. nil takes the channel's default.
    public var timeout: Duration?

    public init(metadata: Metadata = Metadata(), timeout: Duration? = nil) {
        self.metadata = metadata
        self.timeout = timeout
    }
}
