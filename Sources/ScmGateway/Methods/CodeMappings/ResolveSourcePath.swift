import RPC
import ScmAPI
import SiloRPC

extension ScmGatewayService {
    private static let maximumFrameCount = 1000

    public func resolveSourcePath(
        _ request: ResolveSourcePathRequest, context: CallContext
    ) async throws -> ResolveSourcePathResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard (1...Self.maximumFrameCount).contains(request.frames.count) else {
            throw RPCError.badField("frames", "1 to \(Self.maximumFrameCount) frames")
        }
        var trial = MappingTrial(
            service: self, organizationID: organizationID,
            mappings: try await codeMappings(ofProject: request.projectID, organizationID: organizationID),
            platform: request.platform, sdk: request.sdkName,
            commitSHA: try Self.revisionText(request.commitSHA), isVerifying: !request.skipVerification
        )
        return try await honouringNoStore(context) {
            var frames: [ResolvedFrame] = []
            for (index, frame) in request.frames.enumerated() {
                frames.append(ResolvedFrame(index, try await steps(of: frame, in: &trial, all: false)))
            }
            return ResolveSourcePathResponse(frames: frames)
        }
    }

    public func explainMapping(
        _ request: ExplainMappingRequest, context: CallContext
    ) async throws -> ExplainMappingResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard let frame = request.frame else { throw RPCError.badField("frame", "a frame is required") }
        var trial = MappingTrial(
            service: self, organizationID: organizationID,
            mappings: try await codeMappings(ofProject: request.projectID, organizationID: organizationID),
            platform: request.platform, sdk: request.sdkName,
            commitSHA: try Self.revisionText(request.commitSHA), isVerifying: !request.skipVerification
        )
        let steps = try await honouringNoStore(context) {
            try await self.steps(of: frame, in: &trial, all: true)
        }
        return ExplainMappingResponse(
            mungedPath: trial.munged(SourceFrame(frame)) ?? "",
            steps: steps.enumerated().map { MappingStep(rank: $0 + 1, $1) },
            result: ResolvedFrame(0, steps)
        )
    }

    private func steps(of frame: StackFrame, in trial: inout MappingTrial, all: Bool) async throws -> [MappingTrial
        .Step]
    {
        do {
            return try await trial.steps(frame, all: all)
        } catch let error as GitError {
            throw rpcError(error, GitFields(revision: "commit_sha", path: "frames"))
        }
    }

    private static func revisionText(_ text: String) throws -> String {
        guard !text.isEmpty else { return text }
        do {
            return try Revision(text).text
        } catch GitError.invalidRevision(let problem) {
            throw RPCError.badField("commit_sha", problem)
        }
    }
}

extension MappingStep {
    fileprivate init(rank: Int, _ step: MappingTrial.Step) {
        self.init(
            codeMapping: CodeMapping(step.mapping), rank: Int32(clamping: rank), outcome: step.outcome,
            comparedField: step.application.field.rawValue, comparedValue: step.application.value,
            path: step.application.path ?? "", url: step.url, explanation: Self.explain(step)
        )
    }

    private static func explain(_ step: MappingTrial.Step) -> String {
        let roots = step.mapping.roots
        let value = step.application.value.prefix(200)
        let compared = "\(step.application.field.rawValue) \"\(value)\""
        let rewritten =
            "\(compared) begins with \"\(roots.stack)\"; with \"\(roots.source)\" instead it is "
                + "\"\(step.application.path ?? "")\""
        switch step.outcome {
        case .matched: return step.ref.isEmpty ? "\(rewritten)." : "\(rewritten), at \(step.ref)."
        case .fileNotFound: return "\(rewritten), and there is no such file at \(step.ref)."
        case .invalidPath: return "\(rewritten), which cannot be a file's path."
        case .unusable: return "\(rewritten), but the repository cannot be read: \(step.error?.message ?? "")."
        case .notReached: return "An earlier mapping already gave the file."
        default: return "\(compared) does not begin with \"\(roots.stack)\", and abs_path does not either."
        }
    }
}
