import Logging
import RPC

/// What a request called its revision and path, so that a git error names the caller's field.
struct GitFields {
    var revision = "ref"
    var path = "path"
    var line = "line_number"
    var pattern = "query"
    /// What a revision that does not exist is called.
    var missingRevision = ErrorReason.revisionNotFound
}

extension ScmGatewayService {
    /// Runs `body` and gives its git errors the status, reason and field that the contract says. Other errors pass.
    nonisolated(nonsending) func mappingGitErrors<R>(
        _ fields: GitFields,
        _ body: nonisolated(nonsending) () async throws -> R
    ) async throws -> R {
        do {
            return try await body()
        } catch let error as GitError {
            throw rpcError(error, fields)
        } catch is CancellationError {
            throw RPCError(.cancelled, "the call was cancelled")
        }
    }

    func rpcError(_ error: GitError, _ fields: GitFields) -> RPCError {
        switch error {
        case .invalidRevision(let problem): .badField(fields.revision, problem)
        case .invalidPath(let problem): .badField(fields.path, problem)
        case .invalidPattern(let problem): .badField(fields.pattern, problem)
        case .revisionNotFound(let name):
            RPCError(
                .notFound, fields.missingRevision,
                "no commit \"\(shortened(name))\" in this repository: confirm that it has been pushed"
            )
        case .ambiguousRevision(let name):
            RPCError(
                .failedPrecondition, .ambiguous, "\"\(shortened(name))\" fits more than one object: use more digits"
            )
        case .fileNotFound(let path):
            RPCError(.notFound, .fileNotFound, "no file \"\(shortened(path))\" at this revision")
        case .notAFile(let path, let kind):
            RPCError(.notFound, .fileNotFound, "\"\(shortened(path))\" is a \(kind), not a file")
        case .noSuchLine(let line, _):
            RPCError(.notFound, .noBlameRange, "\(fields.line): the file ends before line \(line)")
        case .capabilityMissing(let what): RPCError.missingCapability(what)
        case .emptyRepository:
            RPCError(.failedPrecondition, .emptyRepository, "the repository has no commit on its default branch")
        default: stateError(error)
        }
    }

    /// Errors that are not about what the caller wrote. Texts of git and paths of this machine go to the log only.
    private func stateError(_ error: GitError) -> RPCError {
        switch error {
        case .repositoryMissing:
            return RPCError(.failedPrecondition, .repositoryUnreadable, "the repository's folder has gone")
        case .notARepository:
            return RPCError(.failedPrecondition, .repositoryUnreadable, "the folder is no git repository any more")
        case .borrowsObjects:
            return RPCError(
                .failedPrecondition, .repositoryUnreadable,
                "the repository has begun to borrow objects from another one (objects/info/alternates, or a link)"
            )
        case .tooLarge(let what, let limit, let knob):
            return RPCError(
                .resourceExhausted, .limitReached, "\(what) exceeds \(knob) (\(limit) bytes)", facts: ["limit": knob]
            )
        case .timedOut(let limit, let knob):
            return RPCError(
                .deadlineExceeded, .limitReached, "git took longer than \(knob) (\(limit))", facts: ["limit": knob]
            )
        case .overloaded(let limit, let knob):
            return RPCError(
                .resourceExhausted, .limitReached, "more than \(knob) (\(limit)) calls wait for this repository",
                facts: ["limit": knob], retryAfter: .seconds(1)
            )
        case .diskFull: return .diskFull
        case .failed(let status, let message):
            logger.error("git failed", metadata: ["status": "\(status)", "stderr": "\(message.prefix(2000))"])
            return RPCError(.failedPrecondition, .repositoryUnreadable, "git could not read the repository")
        case .corruptAnswer(let problem):
            // What git says depends on the repository; a damaged one may make it die, or say anything.
            logger.error("git cannot be understood", metadata: ["problem": "\(problem)"])
            return RPCError(.failedPrecondition, .repositoryUnreadable, "git could not read the repository")
        case .shutDown:
            return RPCError(.unavailable, "the server is shutting down")
        default:
            logger.error("git engine failed", metadata: ["error": "\(error)"])
            return RPCError(.internalError, "the git engine failed")
        }
    }

    private func shortened(_ text: String) -> String {
        text.count > 64 ? text.prefix(64) + "..." : text
    }
}
