import FrameCodec
import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct FileServiceTests {
    /// Every kind of entry: file, executable, link, submodule, folder, and a name that is not UTF-8.
    static func makeRepository(format: String = "sha1") throws -> TestRepository {
        let repository = try TestRepository(format: format)
        try repository.commit("files", [
            "a.txt": "hello\n", "folder/b.txt": "b\n", "folder/deep/c": "c", "folder.txt": "x", "line\nbreak": "n",
        ])
        try FileManager.default.createSymbolicLink(
            atPath: repository.path + "/link", withDestinationPath: "/etc/passwd"
        )
        try repository.write("run.sh", "#!/bin/sh\n")
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: repository.path + "/run.sh")
        try repository.write("image.bin", Data([1, 2, 0, 3]))
        try repository.git("add", "-A")
        let submodule = String(repeating: "1", count: format == "sha1" ? 40 : 64)
        try repository.git("update-index", "--add", "--cacheinfo", "160000,\(submodule),module")
        try repository.git("commit", "-q", "-m", "kinds")
        return repository
    }

    @Test("a version that the caller names with if-none-match is not sent again")
    func knownVersions() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("first", ["CODEOWNERS": "* @all\n"])
        let id = try await gateway.add(repository)
        let service = gateway.service
        let calls: [(name: String, version: String, run: (CallContext) async throws -> Void)] = [
            ("GetCommit", "HEAD", {
                _ = try await service.getCommit(.init(repositoryID: id, sha: "HEAD"), context: $0)
            }),
            ("GetTree", "HEAD^{tree}", {
                try await service.getTree(.init(repositoryID: id), responses: ResponseWriter { _ in }, context: $0)
            }),
            ("GetFile", "HEAD:CODEOWNERS", {
                try await service.getFile(
                    .init(repositoryID: id, path: "CODEOWNERS"), responses: ResponseWriter { _ in }, context: $0)
            }),
            ("GetCodeOwnersFile", "HEAD:CODEOWNERS", {
                _ = try await service.getCodeOwnersFile(.init(repositoryID: id), context: $0)
            }),
        ]
        for call in calls {
            let version = try repository.git("rev-parse", call.version)
            func context(_ known: String) -> CallContext {
                var metadata = Metadata()
                metadata.add("if-none-match", known)
                return gateway.context(metadata: metadata)
            }
            for known in [version, "\"x\", W/\"\(version)\""] {
                let context = context(known)
                await expectError(.aborted, "NOT_MODIFIED") { try await call.run(context) }
                #expect(context.trailingMetadata["etag"] == "\"\(version)\"", "\(call.name)")
            }
            let other = context("\"\"")
            try await call.run(other)
            #expect(other.trailingMetadata["etag"] == "\"\(version)\"", "\(call.name)")
            let plain = gateway.context()
            try await call.run(plain)
            #expect(plain.trailingMetadata["etag"] == nil, "\(call.name)")
        }
        await service.shutdown()
    }

    @Test(arguments: ["sha1", "sha256"])
    func checkFileKnowsEveryKindOfEntry(format: String) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository(format: format)
        let id = try await gateway.add(repository)
        let head = try repository.head().hex
        func check(_ path: String) async throws -> CheckFileResponse {
            try await gateway.service.checkFile(
                CheckFileRequest(repositoryID: id, path: path), context: gateway.context()
            )
        }
        let expected: [(String, Bool, TreeEntryType, Int64)] = [
            ("a.txt", true, .file, 6), ("run.sh", true, .executable, 10), ("link", true, .symlink, 11),
            ("module", true, .submodule, 0), ("folder", false, .directory, 0), ("/folder/deep/c", true, .file, 1),
            ("line\nbreak", true, .file, 1),
        ]
        for (path, exists, type, size) in expected {
            let answer = try await check(path)
            #expect(answer.exists == exists, "\(path)")
            #expect(answer.entry?.type == type, "\(path)")
            #expect(answer.entry?.size == size, "\(path)")
            #expect(answer.commitSHA == head)
            let name = path.hasPrefix("/") ? String(path.dropFirst()) : path
            #expect(answer.entry?.path == name)
            #expect(answer.entry?.objectID == (try repository.git("rev-parse", "HEAD:\(name)")))
        }
        for path in ["absent", "folder/absent", "a.txt/below", "link/below", "module/below", ":(glob)**", "A.TXT"] {
            let answer = try await check(path)
            #expect(!answer.exists && answer.entry == nil, "\(path)")
        }
        for path in ["", "../a.txt", "a//b", "--help", "a\0b"] {
            await expectError(.invalidArgument, "BAD_REQUEST", field: "path") { try await check(path) }
        }
        await gateway.service.shutdown()
    }

    private func get(_ gateway: Gateway, _ request: GetFileRequest) async throws -> (FileMetadata?, [UInt8], [Int]) {
        let collected = Collected<GetFileResponse>()
        try await gateway.service.getFile(
            request, responses: ResponseWriter { collected.append($0) }, context: gateway.context()
        )
        guard case .metadata(let metadata)? = collected.values.first?.part else { return (nil, [], []) }
        let parts = collected.values.dropFirst().map { response -> [UInt8] in
            guard case .data(let bytes)? = response.part else { return [] }
            return bytes
        }
        return (metadata, parts.flatMap { $0 }, parts.map(\.count))
    }

    /// With little memory the file takes the way of big ones.
    @Test(arguments: [8 * 1024 * 1024, 300_000])
    func filesComeWholeAndInParts(memory: Int) async throws {
        let gateway = try await Gateway { $0.git.maximumObjectByteCount = memory }
        let repository = try Self.makeRepository()
        let big = (0..<700_001).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 / 256) | 1 }
        try repository.write("big", Data(big))
        try repository.write("empty", Data())
        try repository.commit("big", [:])
        let id = try await gateway.add(repository)
        let (metadata, bytes, parts) = try await get(gateway, GetFileRequest(repositoryID: id, path: "big"))
        #expect(bytes == big)
        #expect(parts.allSatisfy { (1...262_144).contains($0) })
        #expect(metadata?.entry?.size == 700_001)
        #expect(metadata?.commitSHA == (try repository.head().hex))
        #expect(metadata?.binary == false)
        for (offset, length) in [(0, 1), (1, 0), (262_143, 2), (699_999, 100), (700_001, 0), (300_000, 300_000)] {
            let request = GetFileRequest(repositoryID: id, path: "big", offset: Int64(offset), length: Int64(length))
            let end = length == 0 ? big.count : min(big.count, offset + length)
            #expect(try await get(gateway, request).1 == Array(big[offset..<end]), "\(offset) \(length)")
        }
        let huge = GetFileRequest(repositoryID: id, path: "big", offset: 5, length: .max)
        #expect(try await get(gateway, huge).1.count == big.count - 5)
        #expect(try await get(gateway, GetFileRequest(repositoryID: id, path: "image.bin")).0?.binary == true)
        #expect(try await get(gateway, GetFileRequest(repositoryID: id, path: "empty")).2.isEmpty)
        // A link is its target's path, never what lies there.
        let link = try await get(gateway, GetFileRequest(repositoryID: id, path: "link"))
        #expect(link.1 == Array("/etc/passwd".utf8))
        #expect(link.0?.entry?.type == .symlink)
        await gateway.service.shutdown()
    }

    @Test func filesThatAreNoneAreRefused() async throws {
        let gateway = try await Gateway { $0.git.maximumFileByteCount = 100 }
        let repository = try Self.makeRepository()
        let kinds = try repository.head().hex
        // `git add -A` takes the submodule away.
        try repository.commit("long", ["long": String(repeating: "x", count: 101)])
        let id = try await gateway.add(repository)
        let other = try await gateway.add(repository, organizationID: gateway.second)
        func get(_ change: (inout GetFileRequest) -> Void) async throws {
            var request = GetFileRequest(repositoryID: id, path: "a.txt")
            change(&request)
            _ = try await self.get(gateway, request)
        }
        try await get { _ in }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.path = "absent" } }
        await expectError(.failedPrecondition, "FILE_NOT_FOUND") { try await get { $0.path = "folder" } }
        await expectError(.failedPrecondition, "FILE_NOT_FOUND") {
            try await get { $0.path = "module"; $0.ref = kinds }
        }
        await expectError(.outOfRange, "BAD_REQUEST") { try await get { $0.offset = 7 } }
        await expectError(.outOfRange, "BAD_REQUEST") { try await get { $0.offset = .max } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "offset") { try await get { $0.offset = -1 } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "length") { try await get { $0.length = .min } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "ref") { try await get { $0.ref = "a..b" } }
        await expectError(.notFound, "REVISION_NOT_FOUND") { try await get { $0.ref = "absent" } }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await get { $0.repositoryID = other } }
        await expectError(.resourceExhausted, "LIMIT_REACHED") { try await get { $0.path = "long" } }
        try await get { $0.path = "long"; $0.length = 100 }
        await gateway.service.shutdown()
    }

    private func tree(_ gateway: Gateway, _ request: GetTreeRequest) async throws -> [GetTreeResponse] {
        let collected = Collected<GetTreeResponse>()
        try await gateway.service.getTree(
            request, responses: ResponseWriter { collected.append($0) }, context: gateway.context()
        )
        return collected.values
    }

    private func lines(_ responses: [GetTreeResponse]) -> [String] {
        responses.flatMap(\.entries).map { entry in
            let type = entry.type == .directory ? "tree" : entry.type == .submodule ? "commit" : "blob"
            let mode = String(entry.mode, radix: 8)
            return String(repeating: "0", count: 6 - mode.count) + "\(mode) \(type) \(entry.objectID)\t\(entry.path)"
        }
    }

    @Test(arguments: ["sha1", "sha256"])
    func treesAreWhatLsTreePrints(format: String) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository(format: format)
        let id = try await gateway.add(repository)
        func expected(_ arguments: String...) throws -> [String] {
            try repository.git(["ls-tree", "-z"] + arguments).split(separator: "\0").map(String.init)
        }
        #expect(lines(try await tree(gateway, GetTreeRequest(repositoryID: id))) == (try expected("HEAD")))
        var request = GetTreeRequest(repositoryID: id, recursive: true, includeSizes: true)
        let whole = try await tree(gateway, request)
        #expect(lines(whole) == (try expected("-r", "HEAD")))
        #expect(whole.flatMap(\.entries).first { $0.path == "a.txt" }?.size == 6)
        #expect(whole.first?.treeSHA == (try repository.git("rev-parse", "HEAD^{tree}")))
        request.includeDirectories = true
        #expect(lines(try await tree(gateway, request)) == (try expected("-r", "-t", "HEAD")))
        request = GetTreeRequest(repositoryID: id, path: "folder/", recursive: true)
        #expect(lines(try await tree(gateway, request)) == (try expected("-r", "HEAD", "folder/")))
        await gateway.service.shutdown()
    }

    @Test(arguments: [1, 2, 3, 1000])
    func treePagesAddUpAlsoWhileTheBranchMoves(size: Int32) async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        let whole = lines(try await tree(gateway, GetTreeRequest(repositoryID: id, recursive: true)))
        var request = GetTreeRequest(repositoryID: id, recursive: true, maxEntries: size)
        var walked: [String] = []
        var pageCount = 0
        repeat {
            let page = try await tree(gateway, request)
            walked += lines(page)
            request.pageToken = page.last?.nextPageToken ?? ""
            pageCount += 1
            if pageCount == 1 { try repository.commit("more", ["0": "first of all"]) }
        } while !request.pageToken.isEmpty && pageCount < 100
        #expect(walked == whole)
        await gateway.service.shutdown()
    }

    @Test func bigTreesComeInSeveralMessages() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let blob = try repository.git(["hash-object", "-w", "--stdin"], input: "x")
        let input = (0..<12_001).map { "100644 blob \(blob)\tf\($0)\n" }.joined()
        let tree = try repository.git(["mktree"], input: input)
        let commit = try repository.git("commit-tree", "-m", "big", tree)
        try repository.git("update-ref", "refs/heads/main", commit)
        let id = try await gateway.add(repository)
        let answers = try await self.tree(gateway, GetTreeRequest(repositoryID: id))
        #expect(answers.map(\.entries.count) == [5000, 5000, 2001])
        let file = CheckFileRequest(repositoryID: id, path: "f12000")
        #expect(try await gateway.service.checkFile(file, context: gateway.context()).exists)
        await gateway.service.shutdown()
    }

    /// A page walk makes git list the tree a few times, not once for each page.
    @Test func aPageWalkListsTheTreeFewTimes() async throws {
        let git = try CountingGit()
        let gateway = try await Gateway { git.use(in: &$0.git) }
        let repository = try TestRepository()
        let names = (0..<1000).map { "d\($0 % 10)/f\($0)" }
        try repository.commit("many", Dictionary(uniqueKeysWithValues: names.map { ($0, "\($0)\n") }))
        let id = try await gateway.add(repository)
        var request = GetTreeRequest(repositoryID: id, recursive: true, maxEntries: 10)
        var found: [String] = []
        repeat {
            let page = try await tree(gateway, request)
            found += page.flatMap { $0.entries.map(\.path) }
            request.pageToken = page.last?.nextPageToken ?? ""
        } while !request.pageToken.isEmpty
        #expect(found == names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) })
        #expect(git.count("ls-tree") <= 5)
        await gateway.service.shutdown()
    }

    @Test func treesThatAreNoneAreRefused() async throws {
        let gateway = try await Gateway()
        let repository = try Self.makeRepository()
        let id = try await gateway.add(repository)
        let other = try await gateway.add(repository, organizationID: gateway.second)
        let unborn = try TestRepository()
        let empty = try await gateway.add(unborn)
        func get(_ change: (inout GetTreeRequest) -> Void) async throws {
            var request = GetTreeRequest(repositoryID: id)
            change(&request)
            _ = try await tree(gateway, request)
        }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.path = "a.txt" } }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.path = "module" } }
        await expectError(.notFound, "FILE_NOT_FOUND") { try await get { $0.path = "absent" } }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "path") { try await get { $0.path = "a/../b" } }
        await expectError(.invalidArgument, field: "max_entries") { try await get { $0.maxEntries = -1 } }
        await expectError(.invalidArgument, field: "page_token") { try await get { $0.pageToken = "AAAA" } }
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") { try await get { $0.repositoryID = other } }
        await expectError(.failedPrecondition, "EMPTY_REPOSITORY") { try await get { $0.repositoryID = empty } }
        await gateway.service.shutdown()
    }

    @Test func pathsThatAreNotTextHaveTheirBytesBesideThem() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let blob = try repository.git(["hash-object", "-w", "--stdin"], input: "x")
        let line = Array("100644 blob \(blob)\tb\u{FF}d".utf8)
        // "ÿ" as Latin-1: one byte that no UTF-8 text has.
        let input = Data(line.filter { $0 != 0xC3 }.map { $0 == 0xBF ? 0xFF : $0 } + [0])
        let tree = String(decoding: try repository.gitBytes(["mktree", "-z"], input: input), as: UTF8.self)
            .trimmingCharacters(in: .newlines)
        let commit = try repository.git("commit-tree", "-m", "bytes", tree)
        try repository.git("update-ref", "refs/heads/main", commit)
        let id = try await gateway.add(repository)
        let entry = try await self.tree(gateway, GetTreeRequest(repositoryID: id)).first?.entries.first
        #expect(entry?.path == "b\u{FFFD}d")
        #expect(entry?.rawPath == [0x62, 0xFF, 0x64])
        let (_, bytes, _) = try await get(
            gateway, GetFileRequest(repositoryID: id, rawPath: [0x62, 0xFF, 0x64])
        )
        #expect(bytes == [0x78])
        await gateway.service.shutdown()
    }
}
