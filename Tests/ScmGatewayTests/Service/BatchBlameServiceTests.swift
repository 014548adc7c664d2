import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct BatchBlameServiceTests {
    private func batch(
        _ gateway: Gateway, _ lines: [BlameLine], _ change: (inout BatchGetCommitContextRequest) -> Void = { _ in }
    ) async throws -> BatchGetCommitContextResponse {
        var request = BatchGetCommitContextRequest(lines: lines, maxAgeDays: -1)
        change(&request)
        return try await gateway.service.batchGetCommitContext(request, context: gateway.context())
    }

    private func reason(_ result: BlameLineResult) throws -> String? {
        let status = try #require(result.status)
        return status.details.lazy.compactMap { try? $0.unpack(GoogleRPC.ErrorInfo.self) }.first?.reason
    }

    @Test(arguments: [false, true])
    func everyLineIsAnsweredAsAloneInItsOrder(withSnippets: Bool) async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        var lines: [BlameLine] = []
        for line in [30, 1, 7, 40, 7] {
            lines.append(BlameLine(path: "renamed numbers.txt", line: Int32(line), repositoryID: id))
            lines.append(BlameLine(path: "sub/é.txt", line: 1, repositoryID: id))
        }
        lines.append(BlameLine(path: "numbers.txt", line: 3, ref: "side", repositoryID: id))
        let answer = try await batch(gateway, lines) {
            $0.includeSnippets = withSnippets
            $0.snippetRadius = 2
        }
        #expect(answer.results.count == lines.count)
        let alone = try await Gateway()
        let sameID = try await alone.add(repository)
        for (line, result) in zip(lines, answer.results) {
            let request = GetCommitContextRequest(
                repositoryID: sameID, commitSHA: line.ref, filepath: line.path, lineNumber: line.line, maxAgeDays: -1,
                includeSnippet: withSnippets, snippetRadius: 2
            )
            let expected = try await alone.service.getCommitContext(request, context: alone.context())
            #expect(result.status?.code == 0)
            #expect(result.context?.blameCommitID == expected.blameCommitID)
            #expect(result.context?.lineNumber == line.line)
            #expect(result.context?.filename == line.path)
            #expect(result.context?.codeSnippet == expected.codeSnippet)
            #expect(result.context?.originalLine == expected.originalLine)
        }
        let times = answer.results.map { $0.context?.committedAt?.seconds ?? 0 }
        #expect(Int(answer.newestIndex) == times.firstIndex(of: times.max() ?? 0))
        await gateway.service.shutdown()
        await alone.service.shutdown()
    }

    @Test func whatFailsFailsAlone() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let other = try await gateway.add(repository, organizationID: gateway.second)
        let path = "renamed numbers.txt"
        let cases: [(BlameLine, String?)] = [
            (BlameLine(path: path, line: 1), nil),
            (BlameLine(path: path, line: 0), "BAD_REQUEST"),
            (BlameLine(path: path, line: 1000), "NO_BLAME_RANGE"),
            (BlameLine(path: path, line: 5), nil),
            (BlameLine(path: "absent", line: 1), "FILE_NOT_FOUND"),
            (BlameLine(path: "sub", line: 1), "FILE_NOT_FOUND"),
            (BlameLine(path: "../x", line: 1), "BAD_REQUEST"),
            (BlameLine(path: path, line: 1, ref: "absent"), "REVISION_NOT_FOUND"),
            (BlameLine(path: path, line: 1, ref: "--all"), "BAD_REQUEST"),
            (BlameLine(path: path, line: 1, codeMappingID: 99), "CODE_MAPPING_NOT_FOUND"),
            (BlameLine(path: path, line: 1, repositoryID: other), "REPOSITORY_NOT_FOUND"),
            (BlameLine(path: path, line: 1, repositoryID: 9999), "REPOSITORY_NOT_FOUND"),
            (BlameLine(path: path, line: .min), "BAD_REQUEST"),
        ]
        let answer = try await batch(gateway, cases.map(\.0)) { $0.repositoryID = id }
        #expect(answer.results.count == cases.count)
        for ((line, expected), result) in zip(cases, answer.results) {
            #expect(try reason(result) == expected, "\(line.path) \(line.line) \(line.ref)")
            #expect((result.context == nil) == (expected != nil))
        }
        let none = try await batch(gateway, [BlameLine(path: "absent", line: 1)]) { $0.repositoryID = id }
        #expect(none.newestIndex == -1)
        await gateway.service.shutdown()
    }

    @Test func oldCommitsComeWithTheirContextAndAreNotTheNewest() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let now = Int(Date().timeIntervalSince1970)
        try repository.commit("old", ["old": "x\n"], date: now - 366 * 86_400)
        try repository.commit("older but new enough", ["a": "x\n"], date: now - 364 * 86_400)
        try repository.commit("new", ["b": "x\n"], date: now - 86_400)
        let id = try await gateway.add(repository)
        let lines = ["old", "a", "b", "b"].map { BlameLine(path: $0, line: 1, repositoryID: id) }
        let answer = try await batch(gateway, lines) { $0.maxAgeDays = 0 }
        #expect(try reason(answer.results[0]) == "COMMIT_TOO_OLD")
        #expect(answer.results[0].context?.ageDays == 366)
        #expect(answer.newestIndex == 2)
        await gateway.service.shutdown()
    }

    @Test func limitsAndOthers() async throws {
        let gateway = try await Gateway()
        await expectError(.invalidArgument, field: "lines") { try await batch(gateway, []) }
        let many = Array(repeating: BlameLine(path: "a", line: 1, repositoryID: 1), count: 101)
        await expectError(.invalidArgument, field: "lines") { try await batch(gateway, many) }
        await expectError(.invalidArgument, field: "snippet_radius") {
            try await batch(gateway, [BlameLine()]) { $0.snippetRadius = 21 }
        }
        await expectError(.permissionDenied, "ORGANIZATION_MISMATCH") {
            try await batch(gateway, [BlameLine()]) { $0.organizationID = gateway.second }
        }
        await gateway.service.shutdown()
    }

    @Test func mappingsGiveRepositoryAndBranch() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let otherFolder = try makeStoriedRepository()
        let another = try await gateway.add(otherFolder)
        let mapping = try await gateway.service.createCodeMapping(
            CreateCodeMappingRequest(
                projectID: 1, repositoryID: id, stackRoot: "app/", sourceRoot: "", defaultBranch: "side"
            ), context: gateway.context()
        )
        let side = try repository.git("rev-parse", "side")
        var request = GetCommitContextRequest(
            filepath: "numbers.txt", lineNumber: 30, codeMappingID: mapping.id, maxAgeDays: -1
        )
        let one = try await gateway.service.getCommitContext(request, context: gateway.context())
        #expect(one.refUsed == side && one.codeMappingID == mapping.id && one.repositoryID == id)
        let answer = try await batch(gateway, [BlameLine(path: "numbers.txt", line: 30, codeMappingID: mapping.id)]) {
            $0.repositoryID = another
        }
        #expect(answer.results.first?.context?.refUsed == side)
        #expect(answer.results.first?.context?.repositoryID == id)
        request.commitSHA = "main"
        request.filepath = "renamed numbers.txt"
        let main = try await gateway.service.getCommitContext(request, context: gateway.context())
        #expect(main.refUsed == (try repository.head().hex))
        request.repositoryID = another
        await expectError(.invalidArgument, field: "code_mapping_id") {
            try await gateway.service.getCommitContext(request, context: gateway.context())
        }
        await expectError(.notFound, "CODE_MAPPING_NOT_FOUND") {
            try await gateway.service.getCommitContext(
                request, context: gateway.context(organizationID: gateway.second)
            )
        }
        await gateway.service.shutdown()
    }
}
