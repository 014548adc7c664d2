import RPC

/// Why a request of another silo was refused. What the caller is told is the reason's name and what to look at; never
/// anything of a key but its id, which the caller has sent.
public struct SignatureRefusal: Error, Sendable, Equatable, RPCErrorConvertible {
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        case missing = "SIGNATURE_MISSING"
        case malformed = "SIGNATURE_MALFORMED"
        case unknownKey = "KEY_UNKNOWN"
        case clockSkew = "CLOCK_SKEW"
        case unsignedField = "FIELD_NOT_SIGNED"
        case wrong = "SIGNATURE_WRONG"
        case replayed = "REPLAYED"
        case windowFull = "REPLAY_WINDOW_FULL"
        case cellToCell = "CELL_TO_CELL"
        case identity = "TLS_IDENTITY"
        case stream = "STREAM_NOT_SIGNED"
    }

    public let reason: Reason
    let text: String

    init(_ reason: Reason, _ text: String) {
        self.reason = reason
        self.text = text
    }

    public var rpcError: RPCError {
        let code: StatusCode =
            switch reason {
            case .cellToCell, .identity: .permissionDenied
            case .windowFull: .resourceExhausted
            case .stream: .unimplemented
            default: .unauthenticated
            }
        return RPCError(code, text, details: [GoogleRPC.ErrorInfo(reason: reason.rawValue, domain: "silo")])
    }
}
