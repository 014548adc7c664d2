import FrameCodec
import RPC
import ScmAPI

extension ScmGatewayService {
    private static let maximumBatchLineCount = 100

    public func batchGetCommitContext(
        _ request: BatchGetCommitContextRequest, context: CallContext
    ) async throws -> BatchGetCommitContextResponse {
        let organizationID = try authorise(context, .read, organizationID: request.organizationID)
        guard (1...Self.maximumBatchLineCount).contains(request.lines.count) else {
            throw RPCError.badField("lines", "1 to \(Self.maximumBatchLineCount) lines")
        }
        let options = try LineOptions(
            maxAgeDays: request.maxAgeDays, includeSnippet: request.includeSnippets, radius: request.snippetRadius,
            request.options
        )
        let batch = LineBatch(service: self, organizationID: organizationID, options: options)
        let lines = request.lines.map { LineRequest($0, repositoryID: request.repositoryID) }
        let results = try await honouringNoStore(context) { try await batch.run(lines) }
        return BatchGetCommitContextResponse(results: results, newestIndex: Self.newestIndex(results))
    }

    /// Of the results that are OK; ties go to the lowest index. -1 for none.
    private static func newestIndex(_ results: [BlameLineResult]) -> Int32 {
        var newest = -1
        var newestTime = Int64.min
        for (index, result) in results.enumerated() where result.status?.code == 0 {
            // A commit without a date is older than every other one.
            let time = result.context?.committedAt?.seconds ?? Int64.min
            if newest < 0 || time > newestTime { (newest, newestTime) = (index, time) }
        }
        return Int32(clamping: newest)
    }
}

/// Many lines, planned by file: what the lines of a file have in common (repository, revision, ignored commits) is
/// done once, and files are worked on side by side.
private struct LineBatch: Sendable {
    /// Files at the same time.
    private static let maximumConcurrentFiles = 8

    /// What lines have in common; the line itself is not part of it.
    private struct File: Hashable {
        let repositoryID: Int64
        let codeMappingID: Int64
        /// Bytes: Swift's strings take two ways to write "é" for the same, git does not.
        let path: [UInt8]
        let ref: [UInt8]

        init(_ line: LineRequest) {
            (repositoryID, codeMappingID) = (line.repositoryID, line.codeMappingID)
            path = line.rawPath.isEmpty ? Array(line.text.utf8) : line.rawPath
            ref = Array(line.ref.utf8)
        }
    }

    let service: ScmGatewayService
    let organizationID: Int64
    let options: LineOptions

    /// One result for each line, in their order.
    ///
    /// - Throws: `CancellationError` and nothing else.
    func run(_ lines: [LineRequest]) async throws -> [BlameLineResult] {
        let groups = Dictionary(grouping: lines.indices) { File(lines[$0]) }.values.sorted { $0[0] < $1[0] }
        var results = Array(repeating: BlameLineResult(), count: lines.count)
        try await withThrowingTaskGroup(of: [(Int, BlameLineResult)].self) { group in
            var waiting = groups.makeIterator()
            for _ in 0..<Self.maximumConcurrentFiles {
                guard let indices = waiting.next() else { break }
                group.addTask { try await self.file(indices, lines) }
            }
            while let finished = try await group.next() {
                for (index, result) in finished { results[index] = result }
                guard let indices = waiting.next() else { continue }
                group.addTask { try await self.file(indices, lines) }
            }
        }
        return results
    }

    /// The lines of one file. What fails for the file fails for each of them.
    private func file(_ indices: [Int], _ lines: [LineRequest]) async throws -> [(Int, BlameLineResult)] {
        do {
            let place = try await place(lines[indices[0]])
            let wanted = Set(indices.map { lines[$0].line }.filter { $0 > 0 })
            // One process for all lines, which then come from memory; a line beyond the end fails that, and all are
            // asked for one by one.
            if wanted.count > 1 { try? await place.repository.prepareBlame(of: wanted.sorted(), place.query) }
            var results: [(Int, BlameLineResult)] = []
            for index in indices {
                var line = lines[index]
                line.repositoryID = place.row.id
                results.append((index, try await result(line, place)))
            }
            return results
        } catch let error as RPCError {
            try Task.checkCancellation()
            return indices.map { ($0, BlameLineResult(status: GoogleRPC.Status(error))) }
        }
    }

    private struct Place {
        let row: StoredRepository
        let repository: any SourceRepository
        let query: BlameQuery
    }

    private static let fields = GitFields(revision: "ref", path: "path", line: "line")

    private func place(_ line: LineRequest) async throws -> Place {
        var line = line
        if line.codeMappingID != 0 {
            try line.complete(
                from: try await service.codeMapping(line.codeMappingID, organizationID: organizationID)
            )
        }
        let wanted = line
        let row = try await service.activeRepository(wanted.repositoryID, organizationID: organizationID)
        return try await service.mappingGitErrors(Self.fields) {
            let repository = try await service.repository(row)
            let path = try wanted.path
            let commit = try await repository.resolve(try wanted.revision)
            let query = try await BlameRequest.query(path, at: commit, options.blame, repository)
            return Place(row: row, repository: repository, query: query)
        }
    }

    private func result(_ line: LineRequest, _ place: Place) async throws -> BlameLineResult {
        do {
            guard line.line >= 1 else { throw RPCError.badField("line", "lines count from 1") }
            let answer = try await service.mappingGitErrors(Self.fields) {
                var answer = try await place.repository.answer(line.line, place.query)
                if options.radius != nil {
                    answer.snippet = try await place.repository.snippet(
                        place.query.path, line: line.line, at: place.query.commit
                    )
                }
                return answer
            }
            let context = CommitContext(line, options, place.row, answer, at: place.query.commit)
            do {
                try options.checkAge(of: answer.commit)
            } catch {
                return BlameLineResult(status: GoogleRPC.Status(error), context: context)
            }
            return BlameLineResult(status: GoogleRPC.Status(), context: context)
        } catch let error as RPCError {
            try Task.checkCancellation()
            return BlameLineResult(status: GoogleRPC.Status(error))
        }
    }
}
