import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

/// Somebody who writes to a registered repository's folder puts links, pipes and nonsense into it: calls end with a
/// clear status, tell nothing of other files, and wait for nobody.
@Suite(.timeLimit(.minutes(5))) struct HostileRepositoryTests {
    private static let secret = "root:x:0:0:secret of another file"

    /// What is put in a file's place, by name of the file in the git folder.
    private static let files = [
        "HEAD", "packed-refs", "refs/heads/main", "refs/heads/other", "shallow", "config", "info/grafts",
        "info/attributes",
        "objects/info/alternates", "objects/info/packs", "objects/info/commit-graph", "objects/pack/pack-1.idx",
        "commondir",
    ]

    private enum Trick: CaseIterable { case link, linkToItself, pipe, folder, text, longLine, nothing }

    @Test(arguments: files)
    func aFileThatIsSomethingElse(name: String) async throws {
        let outside = TestRepository.temporaryFolder()
        try Self.secret.write(toFile: outside, atomically: true, encoding: .utf8)
        defer { try? FileManager.default.removeItem(atPath: outside) }
        for trick in Trick.allCases {
            // git would wait for whoever writes into a pipe, until our timer ends that.
            let gateway = try await Gateway()
            let repository = try TestRepository()
            try repository.commit("first", ["a.txt": "one\n"])
            let id = try await gateway.add(repository)
            try put(trick, at: repository.path + "/.git/" + name, outside: outside)
            let all = [.link, .text, .pipe].contains(trick)
            for call in BadRepositoryTests.calls.prefix(all ? .max : 2) {
                do {
                    try await call.run(gateway, id)
                } catch let error as RPCError {
                    let codes: Set<StatusCode> = [.failedPrecondition, .notFound, .invalidArgument]
                    #expect(codes.contains(error.code), "\(call.name), \(name), \(trick): \(error)")
                    #expect(!error.message.contains("secret"), "\(call.name), \(name), \(trick): \(error)")
                }
            }
            let branches = try? await gateway.service.listBranches(.init(repositoryID: id), context: gateway.context())
            for branch in branches?.branches ?? [] { #expect(!branch.name.contains("secret")) }
            await gateway.service.shutdown()
        }
    }

    /// A reference may stand for another one, and a folder of references may be a link.
    @Test func pipesBehindOtherReferences() async throws {
        let gateway = try await Gateway()
        let (first, second) = (try TestRepository(), try TestRepository())
        let outside = TestRepository.temporaryFolder()
        defer { try? FileManager.default.removeItem(atPath: outside) }
        try FileManager.default.createDirectory(atPath: outside, withIntermediateDirectories: true)
        #expect(mkfifo(outside + "/pipe", 0o600) == 0)
        var ids: [Int64] = []
        for repository in [first, second] {
            try repository.commit("first", ["a.txt": "one\n"])
            ids.append(try await gateway.add(repository))
        }
        try first.write(".git/refs/odd/alias", "ref: refs/odd/pipe\n")
        try first.write(".git/refs/heads/alias", "ref: \trefs/odd/alias\n")
        #expect(mkfifo(first.path + "/.git/refs/odd/pipe", 0o600) == 0)
        try FileManager.default.createSymbolicLink(
            atPath: second.path + "/.git/refs/heads/far", withDestinationPath: outside)
        for (id, name) in zip(ids, ["alias", "far/pipe"]) {
            await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
                try await gateway.service.getCommit(.init(repositoryID: id, sha: name), context: gateway.context())
            }
            await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
                try await gateway.service.listBranches(.init(repositoryID: id), context: gateway.context())
            }
            _ = try await gateway.service.getCommit(.init(repositoryID: id, sha: "main"), context: gateway.context())
        }
        await gateway.service.shutdown()
    }

    /// A pipe in the place of one object, which git would open: calls end at once instead of with the time limit.
    @Test(arguments: [true, false])
    func aPipeInThePlaceOfOneObject(isRegisteredByCaller: Bool) async throws {
        let repository = try TestRepository()
        let head = try repository.commit("first", ["a.txt": "one\n"])
        let gateway = try await Gateway {
            $0.repositoryRoots = [repository.path]
            $0.git.commandTimeout = .seconds(3600)
        }
        let id =
            isRegisteredByCaller
            ? try await gateway.service.createRepository(
                .init(provider: .localGit, identifier: repository.path), context: gateway.context()
            ).id : try await gateway.add(repository)
        let object = "\(repository.path)/.git/objects/\(head.hex.prefix(2))/\(head.hex.dropFirst(2))"
        try FileManager.default.removeItem(atPath: object)
        #expect(mkfifo(object, 0o600) == 0)
        for call in BadRepositoryTests.calls {
            await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") { try await call.run(gateway, id) }
        }
        await gateway.service.shutdown()
    }

    private func put(_ trick: Trick, at path: String, outside: String) throws {
        let files = FileManager.default
        try files.createDirectory(
            atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
        try? files.removeItem(atPath: path)
        switch trick {
        case .link: try files.createSymbolicLink(atPath: path, withDestinationPath: outside)
        case .linkToItself: try files.createSymbolicLink(atPath: path, withDestinationPath: path)
        case .pipe: #expect(mkfifo(path, 0o600) == 0)
        case .folder: try files.createDirectory(atPath: path + "/x", withIntermediateDirectories: true)
        case .text: try Data([0xFF, 0, 0xFE, 10, 10]).write(to: URL(fileURLWithPath: path))
        case .longLine: try Data(repeating: 0x61, count: 1 << 20).write(to: URL(fileURLWithPath: path))
        case .nothing: break
        }
    }

    /// Trees may name anything; what is read is objects, never a file of this machine.
    @Test func linksAndNamesInTreesLeadNowhere() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let blob = try repository.git(["hash-object", "-w", "--stdin"], input: "/etc/passwd")
        let odd = try repository.git(["hash-object", "-w", "--stdin"], input: "odd\n")
        var entries = Data("120000 blob \(blob)\tlink\0100644 blob \(odd)\tline\nbreak\0".utf8)
        entries += Data("100644 blob \(odd)\t".utf8) + Data([0xFF, 0xFE]) + Data([0])
        entries += Data("160000 commit \(String(repeating: "1", count: 40))\tmodule\0".utf8)
        let output = try repository.gitBytes(["mktree", "-z", "--missing"], input: entries)
        let tree = String(decoding: output, as: UTF8.self).trimmingCharacters(in: .newlines)
        let commit = try repository.git("commit-tree", "-m", "odd", tree)
        try repository.git("update-ref", "refs/heads/main", commit)
        let id = try await gateway.add(repository)
        func file(_ request: GetFileRequest) async throws -> [UInt8] {
            let parts = Collected<GetFileResponse>()
            try await gateway.service.getFile(
                request, responses: ResponseWriter { parts.append($0) }, context: gateway.context())
            return parts.values.flatMap { part -> [UInt8] in
                guard case .data(let bytes)? = part.part else { return [] }
                return bytes
            }
        }
        // A link's content is where it leads.
        #expect(String(decoding: try await file(.init(repositoryID: id, path: "link")), as: UTF8.self) == "/etc/passwd")
        #expect(try await file(.init(repositoryID: id, path: "line\nbreak")) == Array("odd\n".utf8))
        #expect(try await file(.init(repositoryID: id, rawPath: [0xFF, 0xFE])) == Array("odd\n".utf8))
        let hunks = try await gateway.blame(.init(repositoryID: id, rawPath: [0xFF, 0xFE]))
        #expect(hunks.map(\.rawOriginalPath) == [[0xFF, 0xFE]])
        for path in ["link/passwd", "module/x"] {
            await expectError(.notFound, "FILE_NOT_FOUND") { try await file(.init(repositoryID: id, path: path)) }
        }
        await expectError(.failedPrecondition) { try await file(.init(repositoryID: id, path: "module")) }
        await gateway.service.shutdown()
    }

    /// An id means what it says, whatever the repository would put in its place: answers are kept by id.
    @Test func replacementsAndGraftsChangeNothing() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let first = try repository.commit("first", ["a.txt": "one\n"])
        let second = try repository.commit("second", ["a.txt": "one\ntwo\n"])
        let forged = try repository.git("commit-tree", "-m", "forged", "HEAD^{tree}")
        try repository.git("replace", second.hex, forged)
        try repository.write(".git/info/grafts", "\(second.hex)\n")
        try repository.write(".mailmap", "Eve <eve@example.org> <ada@example.org>\n")
        let id = try await gateway.add(repository)
        let commit = try await gateway.service.getCommit(
            .init(repositoryID: id, sha: second.hex), context: gateway.context())
        #expect(commit.message == "second" && commit.parentSHAs == [first.hex] && commit.author?.name == "Ada")
        let list = try await gateway.service.listCommits(.init(repositoryID: id), context: gateway.context())
        #expect(list.commits.map(\.message) == ["second", "first"])
        #expect(try await gateway.blame(.init(repositoryID: id, path: "a.txt")).map(\.commitSHA).contains(first.hex))
        await gateway.service.shutdown()
    }
}
