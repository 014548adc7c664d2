import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct CompareServiceTests {
    /// Every kind of change in one commit.
    static func makeRepository(format: String = "sha1") throws -> TestRepository {
        let repository = try TestRepository(format: format)
        let text = (1...30).map { "line \($0)\n" }.joined()
        try repository.commit("first", [
            "moved.txt": text, "gone": "x\n", "kind": "target\n", "mode.sh": "m\n", "edited": text, "bin": "a\0b",
            "no newline": "x",
        ])
        try repository.git("mv", "moved.txt", "a new place.txt")
        try repository.git("rm", "-q", "gone", "kind")
        try FileManager.default.createSymbolicLink(atPath: repository.path + "/kind", withDestinationPath: "t")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: repository.path + "/mode.sh")
        try repository.commit("second", [
            "edited": text.replacingOccurrences(of: "line 9\n", with: "diff --git a/x b/x\n@@ -1 +1 @@\n"),
            "bin": "a\0c", "new": "--- a\n+++ b\n", "no newline": "y", "empty": "",
            "long": String(repeating: "z", count: 70_000) + "\n",
        ])
        return repository
    }

    private func list(
        _ gateway: Gateway, _ id: Int64, _ change: (inout ListCommitFileChangesRequest) -> Void = { _ in }
    ) async throws -> ListCommitFileChangesResponse {
        var request = ListCommitFileChangesRequest(repositoryID: id, sha: "main")
        change(&request)
        return try await gateway.service.listCommitFileChanges(request, context: gateway.context())
    }

    /// The file's part of `git diff-tree -p`, from its first `@@` on.
    private func expectedPatch(_ repository: TestRepository, _ paths: [String], context: Int = 3) throws -> String {
        let text = String(
            decoding: try repository.gitBytes(
                ["diff-tree", "-r", "-M", "-p", "-U\(context)", "HEAD~1", "HEAD", "--"] + paths
            ), as: UTF8.self
        )
        guard let start = text.range(of: "\n@@ ") else { return "" }
        return String(text[text.index(after: start.lowerBound)...])
    }

    @Test(arguments: ["sha1", "sha256"])
    func changesAreWhatDiffTreePrints(format: String) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository(format: format)
        let id = try await gateway.add(repository)
        let changes = try await list(gateway, id) {
            $0.includeStats = true
            $0.includePatches = true
        }.fileChanges
        let types: [(String, ChangeType)] = [
            ("a new place.txt", .renamed), ("bin", .modified), ("edited", .modified), ("empty", .added),
            ("gone", .deleted), ("kind", .typeChanged), ("long", .added), ("mode.sh", .modified), ("new", .added),
            ("no newline", .modified),
        ]
        #expect(changes.map(\.path) == types.map(\.0))
        #expect(changes.map(\.type) == types.map(\.1))
        for change in changes where !["kind", "long", "a new place.txt"].contains(change.path) {
            #expect(change.patch == (try expectedPatch(repository, [change.path])), "\(change.path)")
            #expect(!change.patchTruncated)
        }
        #expect(changes[0].previousPath == "moved.txt" && changes[0].similarity == 100 && changes[0].patch.isEmpty)
        #expect(changes[1].binary && changes[1].patch.isEmpty)
        #expect(changes[2].additions == 2 && changes[2].deletions == 1)
        #expect(changes[5].patch.contains("-target") && changes[5].patch.contains("+t\n"))
        #expect(changes[6].patchTruncated && changes[6].patch.isEmpty)
        let wide = try await list(gateway, id) {
            $0.includePatches = true
            $0.patchContextLines = 0
            $0.maxPatchBytes = 100_000
        }.fileChanges
        #expect(wide[2].patch == (try expectedPatch(repository, ["edited"], context: 0)))
        #expect(wide[6].patch.utf8.count > 70_000 && !wide[6].patchTruncated)
        #expect(wide[2].additions == 0)
        let plain = try await list(gateway, id) { $0.noRenames = true }.fileChanges
        #expect(plain.contains { $0.path == "moved.txt" && $0.type == .deleted })
        #expect(plain.contains { $0.path == "a new place.txt" && $0.type == .added })
        let commit = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: "main", includeFileChanges: true, includePatches: true),
            context: gateway.context()
        )
        #expect(commit.fileChanges.map(\.patch) == changes.map(\.patch))
        await gateway.service.shutdown()
    }

    @Test(arguments: [1, 3, 100], [true, false])
    func pagesOfChangesAddUp(size: Int32, withPatches: Bool) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        let whole = try await list(gateway, id) { $0.includePatches = withPatches }.fileChanges
        var walked: [FileChange] = []
        var token = ""
        for page in 0..<50 {
            let answer = try await list(gateway, id) {
                $0.includePatches = withPatches
                $0.pageSize = size
                $0.pageToken = token
            }
            walked += answer.fileChanges
            token = answer.nextPageToken
            if token.isEmpty { break }
            if page == 0 { try repository.commit("moves the branch", ["edited": "z"]) }
        }
        #expect(walked == whole)
        await gateway.service.shutdown()
    }

    @Test func parentsAndRoots() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let id = try await gateway.add(repository)
        let merge = try repository.git("rev-parse", "main~2")
        for parent in [1, 2] {
            let paths = try await list(gateway, id) {
                $0.sha = merge
                $0.parent = Int32(parent)
                $0.includePatches = true
            }.fileChanges
            let expected = try repository.git("diff-tree", "-r", "--name-only", "\(merge)^\(parent)", merge)
            #expect(paths.map(\.path).joined(separator: "\n") == expected)
            #expect(paths.allSatisfy { $0.patch.hasPrefix("@@ ") })
        }
        let root = try repository.git("rev-list", "--max-parents=0", "main")
        #expect(try await list(gateway, id) { $0.sha = root }.fileChanges.allSatisfy { $0.type == .added })
        await expectError(.invalidArgument, field: "parent") {
            try await list(gateway, id) { $0.sha = root; $0.parent = 2 }
        }
        await expectError(.invalidArgument, field: "parent") { try await list(gateway, id) { $0.parent = -1 } }
        await expectError(.invalidArgument, field: "patch_context_lines") {
            try await list(gateway, id) { $0.patchContextLines = 101 }
        }
        await expectError(.invalidArgument, field: "max_patch_bytes") {
            try await list(gateway, id) { $0.maxPatchBytes = 1_048_577 }
        }
        await expectError(.invalidArgument, field: "sha") { try await list(gateway, id) { $0.sha = "--output=x" } }
        await expectError(.notFound, "COMMIT_NOT_FOUND") { try await list(gateway, id) { $0.sha = "absent" } }
        let other = try await gateway.add(repository, organizationID: gateway.second)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await list(gateway, other) }
        await gateway.service.shutdown()
    }

    @Test func patchesAreCutTheSameAtEverySplit() throws {
        let changes = ["a", "b"].map { name in
            GitFileChange(kind: .modified, path: Array(name.utf8), additions: 1, deletions: 1)
        }
        let one = "@@ -1 +1 @@\n-x\n+diff --git a/b b/b\n"
        let two = "@@ -1 +1 @@\n-y\n\\ No newline at end of file\n+z\n"
        let text = "diff --git a/a b/a\n--- a/a\n+++ b/a\n\(one)diff --git a/b b/b\n--- a/b\n+++ b/b\n\(two)"
        let bytes = Array(text.utf8)
        for split in 0...bytes.count {
            var parser = PatchParser(changes: changes, range: 0..<2, maximumByteCount: 100)
            parser.feed(Array(bytes[..<split]))
            parser.feed(Array(bytes[split...]))
            #expect(parser.finish().map { String(decoding: $0.bytes, as: UTF8.self) } == [one, two])
        }
        var small = PatchParser(changes: changes, range: 1..<2, maximumByteCount: 10)
        small.feed(bytes)
        #expect(small.finish() == [GitPatch(isTruncated: true)])
    }

    private func compare(
        _ gateway: Gateway, _ id: Int64, _ change: (inout CompareCommitsRequest) -> Void
    ) async throws -> CompareCommitsResponse {
        var request = CompareCommitsRequest(repositoryID: id, head: "side")
        change(&request)
        return try await gateway.service.compareCommits(request, context: gateway.context())
    }

    @Test func comparisonsAreWhatGitSays() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        try repository.git("branch", "old", "main~3")
        try repository.git("checkout", "-q", "--orphan", "unrelated")
        try repository.commit("alone", ["alone": "x\n"])
        let id = try await gateway.add(repository)
        for (base, head) in [("main", "side"), ("side", "main"), ("old", "main"), ("main", "main"), ("old", "side")] {
            let answer = try await compare(gateway, id) {
                $0.base = base
                $0.head = head
                $0.includeFiles = true
                $0.includePatches = true
            }
            #expect(
                answer.commits.map(\.key).joined(separator: "\n")
                    == (try repository.git("rev-list", "\(base)..\(head)")))
            #expect("\(answer.aheadBy)" == (try repository.git("rev-list", "--count", "\(base)..\(head)")))
            #expect("\(answer.behindBy)" == (try repository.git("rev-list", "--count", "\(head)..\(base)")))
            #expect(answer.mergeBaseSHA == (try repository.git("merge-base", base, head)))
            #expect(answer.baseSHA == (try repository.git("rev-parse", base)))
            let files = try repository.git("diff", "--name-only", "\(base)...\(head)")
                .split(separator: "\n").map { $0.replacingOccurrences(of: "\"", with: "") }
            #expect(answer.files.map(\.path).count == files.count)
        }
        let straight = try await compare(gateway, id) { $0.base = "main"; $0.straight = true; $0.includeFiles = true }
        #expect(straight.files.count > 1)
        let unrelated = try await compare(gateway, id) {
            $0.base = "main"; $0.head = "unrelated"; $0.includeFiles = true
        }
        #expect(unrelated.mergeBaseSHA.isEmpty && unrelated.aheadBy == 1)
        #expect(unrelated.files.contains { $0.path == "alone" && $0.type == .added })
        await gateway.service.shutdown()
    }

    @Test func comparisonsHavePages() async throws {
        let gateway = try await Gateway()
        let repository = try makeStoriedRepository()
        let root = try repository.git("rev-list", "--max-parents=0", "main")
        let id = try await gateway.add(repository)
        var keys: [String] = []
        var token = ""
        for page in 0..<20 {
            let answer = try await compare(gateway, id) {
                $0.base = root
                $0.head = "main"
                $0.pageSize = 2
                $0.pageToken = token
                $0.includeFiles = true
            }
            #expect(answer.files.isEmpty == (page > 0))
            keys += answer.commits.map(\.key)
            token = answer.nextPageToken
            if token.isEmpty { break }
        }
        #expect(keys.joined(separator: "\n") == (try repository.git("rev-list", "\(root)..main")))
        await expectError(.invalidArgument, field: "head") { try await compare(gateway, id) { $0.head = "" } }
        await expectError(.invalidArgument, field: "head") { try await compare(gateway, id) { $0.head = "-x" } }
        await expectError(.invalidArgument, field: "base") { try await compare(gateway, id) { $0.base = "a...b" } }
        await expectError(.notFound, "REVISION_NOT_FOUND") { try await compare(gateway, id) { $0.base = "absent" } }
        await expectError(.invalidArgument, field: "page_token") {
            try await compare(gateway, id) { $0.pageToken = "x" }
        }
        let other = try await gateway.add(repository, organizationID: gateway.second)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await compare(gateway, other) { _ in } }
        await gateway.service.shutdown()
    }
}
