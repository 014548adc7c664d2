import FrameCodec
import RPC
import Storage

extension RPCError {
    /// What a caller is told when the database failed: whether to try again, and when.
    ///
    /// - Parameter text: for everything but a full disk and a lock that another process holds.
    init(_ error: StorageError, otherwise text: String) {
        self = error.isFull ? .diskFull : error.isBusy ? .databaseBusy : RPCError(.unavailable, text)
    }

    /// No space is left for the database, or for files of ours. Nothing of the call was kept. Not UNAVAILABLE: clients
    /// try again at once then, which would not help.
    public static var diskFull: RPCError {
        .exhausted(.resourceExhausted, "the server's disk is full", retryAfter: .seconds(60))
    }

    /// Another process holds the database's lock for longer than a write waits.
    public static var databaseBusy: RPCError {
        .exhausted(.unavailable, "the database is busy: try again", retryAfter: .seconds(1))
    }

    private static func exhausted(_ code: StatusCode, _ text: String, retryAfter: Duration) -> RPCError {
        RPCError(code, text, details: [
            GoogleRPC.ErrorInfo(reason: "LIMIT_REACHED", domain: "scm"),
            GoogleRPC.RetryInfo(retryDelay: Protobuf.Duration(retryAfter)),
        ])
    }
}
