import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct HostileInputTests {
    static let revisions = [
        "-", "--all", "--output=/tmp/x", "-S/etc/passwd", "HEAD:a.txt", "HEAD..HEAD", "a...b", "^HEAD", "HEAD^",
        "HEAD~1",
        "HEAD^{/x}", ":/x", "@{-1}", "main@{upstream}", "HEAD\0", "HEAD\n", "a b", "refs/heads/*", "a?b", "a[b", "a\\b",
        "\u{7F}", String(repeating: "a", count: 1025),
    ]

    @Test(arguments: revisions)
    func revisionsThatMeanMoreThanANameAreRefused(revision: String) throws {
        #expect(throws: GitError.self) { try Revision(revision) }
    }

    @Test(arguments: ["HEAD", "main", "refs/heads/feature/x-1", "v1.0", "é", "0123456", "@"])
    func plainNamesAreAccepted(revision: String) throws {
        #expect(try Revision(revision).text == revision)
    }

    static let paths = [
        "", "/", "//a", "..", "../a", "a/../b", "a/..", "a//b", "./a", "a/./b", "-a", "--output=x", "a\0b",
        String(repeating: "a", count: 4097), "/-a", "/../a",
    ]

    @Test(arguments: paths)
    func pathsThatLeadElsewhereAreRefused(path: String) throws {
        #expect(throws: GitError.self) { try RepositoryPath(path) }
    }

    @Test(arguments: ["a", "/a", "a/", "a b", "a..b", "...", "é", "a\nb", ":(glob)**", "*"])
    func plainPathsAreAccepted(path: String) throws {
        let trimmed = path.trimmingCharacters(in: CharacterSet(charactersIn: "/"))
        #expect(try RepositoryPath(path).text == trimmed)
    }

    @Test func refusedWordsNeverReachGit() async throws {
        let gateway = try await Gateway { $0.git.gitPath = "/bin/false" }
        let repository = try TestRepository()
        try repository.commit("first", ["a.txt": "x\n"])
        let id = try await gateway.add(repository)
        for revision in Self.revisions where !revision.isEmpty {
            await expectError(.invalidArgument, "BAD_REQUEST", field: "sha") {
                try await gateway.service.getCommit(
                    GetCommitRequest(repositoryID: id, sha: revision), context: gateway.context())
            }
            await expectError(.invalidArgument, "BAD_REQUEST", field: "ref") {
                try await gateway.service.listCommits(
                    ListCommitsRequest(repositoryID: id, ref: revision), context: gateway.context())
            }
            await expectError(.invalidArgument, "BAD_REQUEST", field: "ref") {
                try await gateway.blame(BlameFileRequest(repositoryID: id, ref: revision, path: "a.txt"))
            }
        }
        for path in Self.paths {
            await expectError(.invalidArgument, "BAD_REQUEST", field: "path") {
                try await gateway.blame(BlameFileRequest(repositoryID: id, path: path))
            }
            await expectError(.invalidArgument, "BAD_REQUEST", field: "filepath") {
                try await gateway.service.getCommitContext(
                    GetCommitContextRequest(repositoryID: id, filepath: path, lineNumber: 1), context: gateway.context()
                )
            }
        }
        await gateway.service.shutdown()
    }

    /// Patterns and newlines in a path are names of files, not commands.
    @Test func oddPathsAreFiles() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["a\ninfo HEAD": "x\n", ":(glob)*": "y\n", "x has only y": "z\n"])
        let id = try await gateway.add(repository)
        for path in ["a\ninfo HEAD", ":(glob)*", "x has only y"] {
            let hunks = try await gateway.blame(BlameFileRequest(repositoryID: id, path: path))
            #expect(hunks.map(\.originalPath) == [path])
            let list = try await gateway.service.listCommits(
                ListCommitsRequest(repositoryID: id, path: path), context: gateway.context())
            #expect(list.commits.count == 1)
        }
        for path in ["*", "a*", "b\ninfo HEAD", ":(glob)x*"] {
            await expectError(.notFound, "FILE_NOT_FOUND") {
                try await gateway.blame(BlameFileRequest(repositoryID: id, path: path))
            }
        }
        await gateway.service.shutdown()
    }

    /// A repository whose configuration names programs: none of them runs.
    @Test(arguments: [false, true])
    func programsOfAHostileConfigurationDoNotRun(isBare: Bool) async throws {
        let source = try TestRepository()
        try source.write(".gitattributes", "*.txt diff=evil filter=evil merge=evil\n")
        try source.commit("first", ["a.txt": "one\n"])
        let head = try source.commit(
            "second", ["a.txt": "one\ntwo\n", ".mailmap": "Eve <eve@example.org> <ada@example.org>\n"])
        let repository = isBare ? try TestRepository(bare: true) : source
        if isBare { try source.git("push", "-q", repository.path, "main") }
        let marker = TestRepository.temporaryFolder()
        let evil = marker + ".sh"
        try "#!/bin/sh\ntouch '\(marker)'\nexit 0\n".write(toFile: evil, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: evil)
        defer { try? FileManager.default.removeItem(atPath: evil) }
        for key in [
            "core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "core.askPass", "core.gitProxy",
            "core.alternateRefsCommand", "diff.external", "diff.evil.textconv", "diff.evil.command",
            "filter.evil.clean",
            "filter.evil.smudge", "merge.evil.driver", "gpg.program", "gpg.ssh.program", "credential.helper",
            "pager.blame", "pager.rev-list", "uploadpack.packObjectsHook", "sequence.editor",
        ] {
            try repository.git("config", key, evil)
        }
        for name in ["blame", "rev-list", "cat-file", "diff-tree"] {
            try repository.git("config", "alias.\(name)", "!\(evil)")
        }
        try repository.git("config", "log.showSignature", "true")
        try repository.git("config", "blame.ignoreRevsFile", "/etc/passwd")
        try repository.git("config", "mailmap.file", "/etc/passwd")
        try repository.git("config", "extensions.partialClone", "origin")
        try repository.git("config", "core.repositoryFormatVersion", "1")
        try repository.git("config", "remote.origin.url", "ext::\(evil)")
        try repository.git("config", "remote.origin.uploadpack", evil)
        try repository.git("config", "protocol.ext.allow", "always")
        let folder = isBare ? repository.path : repository.path + "/.git"
        for hook in ["post-checkout", "post-index-change", "reference-transaction", "fsmonitor-watchman"] {
            try FileManager.default.createDirectory(atPath: folder + "/hooks", withIntermediateDirectories: true)
            try? FileManager.default.removeItem(atPath: "\(folder)/hooks/\(hook)")
            try FileManager.default.copyItem(atPath: evil, toPath: "\(folder)/hooks/\(hook)")
        }
        try? FileManager.default.removeItem(atPath: marker)

        let gateway = try await Gateway()
        let id = try await gateway.add(repository)
        let context = gateway.context()
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: id, path: "a.txt")).count == 2)
        let commit = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: id, sha: head.hex, includeFileChanges: true), context: context)
        #expect(commit.fileChanges.count == 2)
        let list = try await gateway.service.listCommits(
            ListCommitsRequest(repositoryID: id, includeFileChanges: true), context: context)
        #expect(list.commits.count == 2)
        let line = try await gateway.service.getCommitContext(
            GetCommitContextRequest(
                repositoryID: id, filepath: "a.txt", lineNumber: 1, maxAgeDays: -1, includeSnippet: true),
            context: context)
        #expect(line.codeSnippet == "one")
        #expect(line.blameAuthor?.name == "Ada")
        await expectError(.notFound, "COMMIT_NOT_FOUND") {
            try await gateway.service.getCommit(
                GetCommitRequest(repositoryID: id, sha: String(repeating: "1", count: 40)), context: context)
        }
        #expect(!FileManager.default.fileExists(atPath: marker))
        await gateway.service.shutdown()
    }
}
