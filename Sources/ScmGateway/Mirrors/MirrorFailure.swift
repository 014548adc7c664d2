import RPC

extension MirrorFailure {
    /// As callers see it: nothing of what git or the remote wrote.
    var rpcError: RPCError {
        switch self {
        case .notAllowed(let problem):
            RPCError(.failedPrecondition, .noRepositoryAccess, problem)
        case .unreachable:
            RPCError(
                .unavailable, .hostUnreachable,
                "the remote cannot be reached: wrong name, refused, cut off or no valid TLS",
                retryAfter: .seconds(60)
            )
        case .refused:
            RPCError(
                .failedPrecondition, .noRepositoryAccess,
                "the remote has no such repository, or does not let us read it"
            )
        case .tooLarge(let limit, let knob):
            RPCError(
                .resourceExhausted, .limitReached, "the repository exceeds \(knob) (\(limit) bytes)",
                facts: ["limit": knob]
            )
        case .timedOut(let limit, let knob):
            RPCError(.deadlineExceeded, .limitReached, "it took longer than \(knob) (\(limit))", facts: ["limit": knob])
        case .diskFull: .diskFull
        case .cancelled: RPCError(.cancelled, "it was broken off")
        case .failed: RPCError(.failedPrecondition, .repositoryUnreadable, "git could not copy the repository")
        }
    }
}
