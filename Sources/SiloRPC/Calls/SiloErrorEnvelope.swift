import RPC

/// Errors between silos: a status and a `google.rpc.ErrorInfo` of domain `silo`, whose reason says which error it is
/// and whose metadata has its parts. What a caller may see travels whole; of everything else a request id only.
extension SiloError: RPCErrorConvertible {
    static let domain = "silo"

    private enum Reason: String {
        case wrongCell = "WRONG_CELL"
        case wrongSilo = "WRONG_SILO"
        case disabled = "DISABLED"
        case validation = "VALIDATION"
        case forbidden = "FORBIDDEN"
        case mappingNotFound = "MAPPING_NOT_FOUND"
        case cellResolution = "CELL_RESOLUTION"
        case outcomeUnknown = "OUTCOME_UNKNOWN"
        case remote = "REMOTE"
    }

    public var rpcError: RPCError {
        switch self {
        case .wrongCell(let expected, let actual):
            error(.failedPrecondition, .wrongCell, ["expected": "\(expected)", "actual": actual.map { "\($0)" } ?? ""])
        case .wrongSilo(let method, let asked):
            error(.failedPrecondition, .wrongSilo, ["method": method, "asked": "\(asked)"])
        case .disabled(let method, let reason):
            Self.never(error(.unavailable, .disabled, ["method": method, "reason": reason]))
        case .validation(let code, let message):
            RPCError(
                .invalidArgument, message,
                details: [
                    GoogleRPC.ErrorInfo(
                        reason: Reason.validation.rawValue, domain: Self.domain, metadata: ["code": code])
                ])
        case .invalid: error(.invalidArgument, .validation, ["code": "invalid"])
        case .notFound: error(.notFound, .validation, ["code": "not-found"])
        case .exists: error(.alreadyExists, .validation, ["code": "exists"])
        case .wrongState: error(.failedPrecondition, .validation, ["code": "wrong-state"])
        case .forbidden: error(.permissionDenied, .forbidden, [:])
        case .mappingNotFound: error(.notFound, .mappingNotFound, [:])
        case .cellResolution: error(.notFound, .cellResolution, [:])
        case .cellContext, .configuration:
            // Nothing that a caller could do anything about.
            RPCError(.internalError, "the silo is not set up for this call; its log has the cause")
        case .outcomeUnknown(let method): error(.dataLoss, .outcomeUnknown, ["method": method])
        // Of calls that the service itself has made; they are no business of its caller's.
        case .unavailable, .refused: Self.generic(.unavailable, "another silo cannot be called now", requestID: "")
        case .deadlineExceeded(_, let requestID):
            Self.generic(.deadlineExceeded, "another silo did not answer in time", requestID: requestID)
        case .remote(_, let message, let requestID): Self.generic(.internalError, message, requestID: requestID)
        }
    }

    private func error(_ code: StatusCode, _ reason: Reason, _ parts: [String: String]) -> RPCError {
        RPCError(
            code, description,
            details: [GoogleRPC.ErrorInfo(reason: reason.rawValue, domain: Self.domain, metadata: parts)])
    }

    private static func never(_ error: RPCError) -> RPCError {
        var error = error
        error.retryPushback = .seconds(-1)
        return error
    }

    /// What a caller is told of an error that is none of its business.
    static func generic(_ code: StatusCode, _ message: String, requestID: String) -> RPCError {
        RPCError(
            code, message,
            details: [
                GoogleRPC.ErrorInfo(reason: Reason.remote.rawValue, domain: domain, metadata: ["request_id": requestID])
            ])
    }

    /// What the other side said; nil when the error is of the medium, or of something that is no silo.
    init?(_ error: RPCError, of method: SiloMethod) {
        guard let info = error.detail(GoogleRPC.ErrorInfo.self), info.domain == Self.domain else { return nil }
        switch Reason(rawValue: info.reason) {
        case .wrongCell:
            guard let expected = try? CellName(info.metadata["expected"] ?? "") else { return nil }
            self = .wrongCell(expected: expected, actual: info.metadata["actual"].flatMap { try? CellName($0) })
        case .wrongSilo:
            guard let asked = SiloAddress(info.metadata["asked"] ?? "") else { return nil }
            self = .wrongSilo(method: info.metadata["method"] ?? method.key, asked: asked)
        case .disabled:
            self = .disabled(method: info.metadata["method"] ?? method.key, reason: info.metadata["reason"] ?? "")
        case .validation:
            switch info.metadata["code"] {
            case "invalid": self = .invalid(error.message)
            case "not-found": self = .notFound(error.message)
            case "exists": self = .exists(error.message)
            case "wrong-state": self = .wrongState(error.message)
            case let code: self = .validation(code: code ?? "", message: error.message)
            }
        case .forbidden: self = .forbidden(error.message)
        case .mappingNotFound: self = .mappingNotFound(error.message)
        case .cellResolution: self = .cellResolution(error.message)
        case .outcomeUnknown: self = .outcomeUnknown(method: info.metadata["method"] ?? method.key)
        case .remote:
            self = .remote(method: method.key, message: error.message, requestID: info.metadata["request_id"] ?? "")
        case nil: return nil
        }
    }
}
