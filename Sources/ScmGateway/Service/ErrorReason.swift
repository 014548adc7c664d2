import FrameCodec
import RPC

/// The `reason` of a `google.rpc.ErrorInfo` with domain `scm`: what programs branch on.
enum ErrorReason: String {
    case badRequest = "BAD_REQUEST"
    case unauthenticated = "UNAUTHENTICATED"
    case scopeMissing = "SCOPE_MISSING"
    case organizationMismatch = "ORGANIZATION_MISMATCH"
    case repositoryNotFound = "REPOSITORY_NOT_FOUND"
    case commitNotFound = "COMMIT_NOT_FOUND"
    case revisionNotFound = "REVISION_NOT_FOUND"
    case fileNotFound = "FILE_NOT_FOUND"
    case noBlameRange = "NO_BLAME_RANGE"
    case commitTooOld = "COMMIT_TOO_OLD"
    case codeMappingNotFound = "CODE_MAPPING_NOT_FOUND"
    case codeMappingExists = "CODE_MAPPING_EXISTS"
    case codeOwnersUseMapping = "CODEOWNERS_USES_MAPPING"
    case codeOwnersNotFound = "CODE_OWNERS_NOT_FOUND"
    case issueNotFound = "ISSUE_NOT_FOUND"
    case alreadyLinked = "ALREADY_LINKED"
    case syncDisabled = "SYNC_DISABLED"
    case stackRootMismatch = "STACK_ROOT_MISMATCH"
    case locked = "LOCKED"
    case integrationNotFound = "INTEGRATION_NOT_FOUND"
    case repositoryInactive = "REPOSITORY_INACTIVE"
    case repositoryUnreadable = "REPOSITORY_UNREADABLE"
    case emptyRepository = "EMPTY_REPOSITORY"
    case ambiguous = "AMBIGUOUS"
    case repositoryExists = "REPO_EXISTS"
    case noRepositoryAccess = "NO_REPO_ACCESS"
    case capabilityMissing = "CAPABILITY_MISSING"
    case limitReached = "LIMIT_REACHED"
    case hostUnreachable = "HOST_UNREACHABLE"
    case notModified = "NOT_MODIFIED"
}

extension GoogleRPC.Status {
    /// An error that is part of an answer.
    init(_ error: RPCError) {
        self.init(
            code: Int32(truncatingIfNeeded: error.code.rawValue), message: error.message, details: error.details
        )
    }
}

extension RPCError {
    /// An error of this service, with its `ErrorInfo` and, where given, when to try again.
    init(
        _ code: StatusCode,
        _ reason: ErrorReason,
        _ message: String,
        facts: [String: String] = [:],
        retryAfter: Duration? = nil
    ) {
        var details: [any Message] = [
            GoogleRPC.ErrorInfo(reason: reason.rawValue, domain: "scm", metadata: facts)
        ]
        if let retryAfter { details.append(GoogleRPC.RetryInfo(retryDelay: Protobuf.Duration(retryAfter))) }
        self.init(code, message, details: details)
    }

    /// A field of the request that cannot be right, by its proto name.
    static func badField(_ field: String, _ problem: String) -> RPCError {
        RPCError(
            .invalidArgument,
            "\(field): \(problem)",
            details: [
                GoogleRPC.ErrorInfo(reason: ErrorReason.badRequest.rawValue, domain: "scm"),
                GoogleRPC.BadRequest(fieldViolations: [.init(field: field, description: problem)]),
            ]
        )
    }

    /// Something the contract has and this provider does not.
    static func missingCapability(_ what: String) -> RPCError {
        RPCError(.unimplemented, .capabilityMissing, "\(what) is not served for this kind of repository")
    }
}
