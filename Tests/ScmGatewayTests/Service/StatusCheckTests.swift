import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct StatusCheckTests {
    @Test func checksAreReportedReplacedAndListed() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let sha = try repository.commit("c", ["a": "x\n"]).hex
        let id = try await gateway.add(repository)
        let context = gateway.context()
        func report(_ name: String, _ status: CheckStatus, _ conclusion: CheckConclusion = .unspecified) async throws
            -> StatusCheck
        {
            try await gateway.service.createStatusCheck(CreateStatusCheckRequest(statusCheck: StatusCheck(
                id: "7", repositoryID: id, sha: sha, name: name, status: status, conclusion: conclusion, title: "t",
                detailsURL: "https://example.org/1"
            )), context: context)
        }
        let first = try await report("build", .running)
        #expect(first.id == "1" && first.sha == sha)
        let second = try await report("build", .completed, .success)
        #expect(second.id == "1" && second.conclusion == .success)
        for name in ["lint", "test"] { _ = try await report(name, .pending) }
        var request = ListStatusChecksRequest(repositoryID: id, sha: sha, pageSize: 2)
        var names: [String] = []
        repeat {
            let page = try await gateway.service.listStatusChecks(request, context: context)
            names += page.statusChecks.map(\.name)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(names == ["build", "lint", "test"])
        let one = try await gateway.service.listStatusChecks(
            ListStatusChecksRequest(repositoryID: id, sha: sha, name: "lint"), context: context)
        #expect(one.statusChecks.map(\.name) == ["lint"])
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await gateway.service.listStatusChecks(
                ListStatusChecksRequest(repositoryID: id, sha: sha),
                context: gateway.context(organizationID: gateway.second))
        }
        await gateway.service.shutdown()
    }

    static let bad: [(StatusCheck, String)] = [
        (.init(), "status_check.name"),
        (.init(name: String(repeating: "x", count: 101), status: .pending), "status_check.name"),
        (.init(name: "a\nb", status: .pending), "status_check.name"),
        (.init(name: "a"), "status_check.status"),
        (.init(name: "a", status: .completed), "status_check.conclusion"),
        (.init(name: "a", status: .pending, conclusion: .success), "status_check.conclusion"),
        (.init(name: "a", status: .pending, detailsURL: "javascript:x"), "status_check.details_url"),
        (.init(name: "a", status: .pending, startedAt: .init(seconds: 1, nanos: -1)), "status_check.started_at"),
        (.init(name: "a", status: .pending), "status_check.repository_id"),
        (.init(repositoryID: 1, sha: "main", name: "a", status: .pending), "status_check.sha"),
    ]

    @Test(arguments: bad)
    func badFieldsAreNamed(check: StatusCheck, field: String) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("c", ["a": "x\n"])
        _ = try await gateway.add(repository)
        await expectError(.invalidArgument, "BAD_REQUEST", field: field) {
            try await gateway.service.createStatusCheck(
                CreateStatusCheckRequest(statusCheck: check), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    @Test func theCommitMustExist() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("c", ["a": "x\n"])
        let id = try await gateway.add(repository)
        await expectError(.notFound, "COMMIT_NOT_FOUND") {
            try await gateway.service.createStatusCheck(CreateStatusCheckRequest(statusCheck: StatusCheck(
                repositoryID: id, sha: String(repeating: "1", count: 40), name: "a", status: .pending
            )), context: gateway.context())
        }
        await gateway.service.shutdown()
    }
}
