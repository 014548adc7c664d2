import FrameCodec
import RPC
import ScmAPI

/// Tries the mappings of a project on frames: one mapping after the other, until one gives a file that exists.
///
/// Repositories and the commits that revisions stand for are looked up once for all frames.
struct MappingTrial {
    /// What one mapping made of a frame.
    struct Step {
        let mapping: StoredCodeMapping
        let application: MappingApplication
        let outcome: MappingOutcome
        var url = ""
        /// Revision at which the file was found.
        var ref = ""
        var error: RPCError?
    }

    private enum Place {
        case found(StoredRepository, any SourceRepository)
        case failed(RPCError)
    }

    private struct Commit: Hashable {
        let repositoryID: Int64
        let revision: String
    }

    let service: ScmGatewayService
    let organizationID: Int64
    let mappings: [StoredCodeMapping]
    let platform: String
    let sdk: String
    /// Looked at before the mapping's branch; empty for none.
    let commitSHA: String
    let isVerifying: Bool
    private var places: [Int64: Place] = [:]
    private var commits: [Commit: ObjectID?] = [:]

    init(
        service: ScmGatewayService, organizationID: Int64, mappings: [StoredCodeMapping], platform: String, sdk: String,
        commitSHA: String, isVerifying: Bool
    ) {
        self.service = service
        self.organizationID = organizationID
        self.mappings = mappings
        self.platform = platform
        self.sdk = sdk
        self.commitSHA = commitSHA
        self.isVerifying = isVerifying
    }

    func munged(_ frame: SourceFrame) -> String? { FrameMunger.path(frame, platform: platform, sdk: sdk) }

    /// One step for each mapping, up to the one that gives the file; with `all` the rest as not reached.
    mutating func steps(_ frame: StackFrame, all: Bool) async throws -> [Step] {
        let source = SourceFrame(frame)
        let munged = munged(source)
        var steps: [Step] = []
        for (index, mapping) in mappings.enumerated() {
            let application = MappingApplication(mapping.roots, source, munged: munged)
            let step = try await step(mapping, application, line: frame.lineno)
            steps.append(step)
            guard step.outcome == .matched else { continue }
            guard all else { return steps }
            return steps + mappings[(index + 1)...].map { rest in
                Step(
                        mapping: rest, application: MappingApplication(rest.roots, source, munged: munged),
                        outcome: .notReached
                )
            }
        }
        return steps
    }

    private mutating func step(
        _ mapping: StoredCodeMapping, _ application: MappingApplication, line: Int32
    ) async throws -> Step {
        guard let path = application.path else {
            return Step(mapping: mapping, application: application, outcome: .stackRootMismatch)
        }
        guard let file = try? RepositoryPath(path), !path.contains("\\"), !path.contains("\"") else {
            return Step(mapping: mapping, application: application, outcome: .invalidPath)
        }
        let row: StoredRepository
        let repository: any SourceRepository
        switch try await place(mapping.repositoryID) {
        case .failed(let error):
            return Step(mapping: mapping, application: application, outcome: .unusable, error: error)
        case .found(let foundRow, let found): (row, repository) = (foundRow, found)
        }
        let revisions = [commitSHA, mapping.defaultBranch.isEmpty ? row.defaultBranch : mapping.defaultBranch]
        var step = Step(mapping: mapping, application: application, outcome: isVerifying ? .fileNotFound : .matched)
        step.ref = revisions.first { !$0.isEmpty } ?? ""
        step.url = row.page(path, at: step.ref, line: line)
        guard isVerifying else { return step }
        for revision in revisions where !revision.isEmpty {
            guard let commit = try await commit(revision, row.id, repository),
                try await repository.hasFile(file, at: commit)
            else { continue }
            return Step(
                mapping: mapping, application: application, outcome: .matched,
                url: row.page(path, at: revision, line: line), ref: revision
            )
        }
        return step
    }

    private mutating func place(_ repositoryID: Int64) async throws -> Place {
        if let known = places[repositoryID] { return known }
        let place: Place
        do {
            let row = try await service.activeRepository(repositoryID, organizationID: organizationID)
            place = .found(row, try await service.repository(row))
        } catch let error as RPCError {
            place = .failed(error)
        } catch let error as GitError {
            place = .failed(service.rpcError(error, GitFields()))
        }
        places[repositoryID] = place
        return place
    }

    private mutating func commit(
        _ revision: String, _ repositoryID: Int64, _ repository: any SourceRepository
    ) async throws -> ObjectID? {
        let key = Commit(repositoryID: repositoryID, revision: revision)
        if let known = commits[key] { return known }
        let found: ObjectID?
        do {
            found = try await repository.resolve(try Revision(revision))
        } catch GitError.revisionNotFound, GitError.invalidRevision, GitError.ambiguousRevision, GitError
            .emptyRepository
        {
            found = nil
        }
        commits[key] = found
        return found
    }
}

extension ResolvedFrame {
    /// The outcome of a frame: the file, or the last mapping that gave a path, or that none did.
    init(_ index: Int, _ steps: [MappingTrial.Step]) {
        self.init(frameIndex: Int32(clamping: index))
        if let match = steps.first(where: { $0.outcome == .matched }) {
            path = match.application.path ?? ""
            url = match.url
            codeMappingID = match.mapping.id
            repositoryID = match.mapping.repositoryID
            ref = match.ref
            return
        }
        let tried = steps.last { $0.outcome == .fileNotFound }
        attemptedURL = tried?.url ?? ""
        let failed = steps.last { $0.error != nil }?.error
        let error = failed
            ?? (tried == nil
                ? RPCError(.notFound, .stackRootMismatch, "no mapping's stack root begins the frame's path")
                : RPCError(.notFound, .fileNotFound, "no mapping leads to a file that exists"))
        status = GoogleRPC.Status(error)
    }
}
