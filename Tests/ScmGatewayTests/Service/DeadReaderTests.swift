import Foundation
import ScmAPI
import Testing

@testable import ScmGateway

/// Processes that are kept for object reads, and die while nobody uses them: out of memory, or killed by an operator.
@Suite(.timeLimit(.minutes(5))) struct DeadReaderTests {
    @Test func aReaderThatDiedIsReplacedAndNobodySees() async throws {
        let git = try CountingGit()
        let gateway = try await Gateway { git.use(in: &$0.git) }
        let repository = try TestRepository()
        let commits = try (1...6).map { try repository.commit("change \($0)", ["a.txt": "\($0)\n"]) }
        let id = try await gateway.add(repository)
        for (number, commit) in commits.enumerated() {
            let request = GetCommitRequest(repositoryID: id, sha: commit.hex)
            let answer = try await gateway.service.getCommit(request, context: gateway.context())
            #expect(answer.message.hasPrefix("change \(number + 1)"))
            let process = try #require(git.processes("cat-file").last)
            #expect(kill(process, SIGKILL) == 0)
            while !isDead(process) { try await Task.sleep(for: .milliseconds(2)) }
        }
        #expect(git.count("cat-file") == commits.count)
        await gateway.service.shutdown()
    }

    /// Gone, or waiting to be reaped.
    private func isDead(_ process: pid_t) -> Bool {
        guard let status = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else { return true }
        return status.contains(") Z ")
    }
}
