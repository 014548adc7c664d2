import Foundation
import HTTPTransport
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct MirrorServiceTests {
    private func makeSource() throws -> TestRepository {
        let source = try TestRepository()
        try source.commit("first", ["a.txt": "one\n"])
        try source.git("branch", "old")
        return source
    }

    private func gateway(
        _ source: TestRepository, _ configure: (inout ScmGatewayConfiguration) -> Void = { _ in }
    ) async throws -> Gateway {
        try await Gateway {
            $0.repositoryRoots = [source.path]
            $0.mirrors.schemes = ["file"]
            configure(&$0)
        }
    }

    private func create(_ gateway: Gateway, _ address: String, requestID: String = "") async throws -> Repository {
        try await gateway.service.createRepository(
            CreateRepositoryRequest(provider: .localGit, identifier: address, requestID: requestID),
            context: gateway.context())
    }

    private func get(_ gateway: Gateway, _ id: Int64) async throws -> Repository {
        try await gateway.service.getRepository(
            GetRepositoryRequest(selector: .repositoryID(id)), context: gateway.context())
    }

    /// Waits for the clone or fetch that runs.
    private func whenDone(_ gateway: Gateway, _ id: Int64) async throws -> Repository {
        while true {
            let repository = try await get(gateway, id)
            if ![.cloning, .fetching].contains(repository.mirror?.state) { return repository }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func sync(_ gateway: Gateway, _ request: SyncRepositoriesRequest) async throws -> [SyncRepositoriesResponse]
    {
        let collected = Collected<SyncRepositoriesResponse>()
        try await gateway.service.syncRepositories(
            request, responses: ResponseWriter { collected.append($0) }, context: gateway.context())
        return collected.values
    }

    private func result(_ answers: [SyncRepositoriesResponse]) throws -> SyncResult {
        guard case .result(let result)? = answers.last?.event else { throw Missing() }
        return result
    }

    private struct Missing: Error {}

    private func copies(_ gateway: Gateway) -> [String] {
        let names = FileManager.default.enumerator(atPath: gateway.folder + "/data/mirrors")
        return (names?.allObjects as? [String] ?? []).filter { $0.hasSuffix(".git") || $0.hasPrefix("new/") }
    }

    @Test func aRemoteIsClonedAndFetched() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let added = try await create(gateway, "file://\(source.path)/")
        #expect(added.mirror?.state == .cloning)
        #expect(added.url == "file://\(source.path)" && added.externalID == added.url)
        #expect(added.defaultBranch == "main")
        let ready = try await whenDone(gateway, added.id)
        #expect(ready.mirror?.state == .ready)
        #expect(ready.mirror?.fetchedAt != nil && (ready.mirror?.size ?? 0) > 0 && ready.mirror?.error == nil)
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: added.id, path: "a.txt")).count == 1)

        let head = try source.commit("second", ["a.txt": "one\ntwo\n"])
        try source.git("branch", "-D", "old")
        try source.git("checkout", "-q", "-b", "next")
        let dry = try result(try await sync(gateway, SyncRepositoriesRequest(dryRun: true, fetchMirrors: true)))
        #expect(dry.fetchedRepositoryIDs == [added.id])
        let answer = try result(try await sync(gateway, SyncRepositoriesRequest(fetchMirrors: true)))
        #expect(answer.fetchedRepositoryIDs == [added.id] && answer.failures.isEmpty && answer.unchangedCount == 1)
        let commit = try await gateway.service.getCommit(
            GetCommitRequest(repositoryID: added.id, sha: head.hex), context: gateway.context())
        #expect(commit.key == head.hex)
        let branches = try await gateway.service.listBranches(
            ListBranchesRequest(repositoryID: added.id), context: gateway.context())
        #expect(branches.branches.map(\.name) == ["main", "next"])
        #expect(try await get(gateway, added.id).defaultBranch == "next")

        await expectError(.alreadyExists, "REPO_EXISTS") { try await create(gateway, "FILE://\(source.path)") }
        _ = try await gateway.service.deleteRepository(
            DeleteRepositoryRequest(repositoryID: added.id), context: gateway.context())
        #expect(copies(gateway).isEmpty)
        let again = try await create(gateway, "file://\(source.path)")
        #expect(again.id != added.id)
        #expect(try await whenDone(gateway, again.id).mirror?.state == .ready)
        await gateway.service.shutdown()
    }

    @Test func theCommandLineRemovesTheCopyToo() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let added = try await create(gateway, "file://\(source.path)")
        #expect(try await whenDone(gateway, added.id).mirror?.state == .ready)
        #expect(copies(gateway).count == 1)
        try await RepositoryStore(gateway.database).remove(id: added.id)
        #expect(copies(gateway).isEmpty)
        await expectError(.notFound) { try await get(gateway, added.id) }
        await gateway.service.shutdown()
    }

    @Test func theSameRequestClonesOnce() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let id = UUID().uuidString
        let first = try await create(gateway, "file://\(source.path)", requestID: id)
        let second = try await create(gateway, "file://\(source.path)", requestID: id)
        #expect(first.id == second.id)
        _ = try await whenDone(gateway, first.id)
        #expect(copies(gateway).count == 1)
        await gateway.service.shutdown()
    }

    @Test func checkingStoresNothing() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let answer = try await gateway.service.createRepository(
            CreateRepositoryRequest(provider: .localGit, identifier: "file://\(source.path)", validateOnly: true),
            context: gateway.context())
        #expect(answer.id == 0 && answer.defaultBranch == "main")
        #expect(copies(gateway).isEmpty)
        await gateway.service.shutdown()
    }

    /// Reading says why it cannot; what is left on the disk is nothing; a later sync makes it good.
    @Test func aFailedCloneLeavesNothing() async throws {
        let source = try makeSource()
        let noise = Data((0..<300_000).map { _ in UInt8.random(in: 0...255) })
        try source.write("noise", noise)
        try source.commit("noise", [:])
        let gateway = try await gateway(source) { $0.mirrors.maximumByteCount = 100_000 }
        let added = try await create(gateway, "file://\(source.path)")
        let failed = try await whenDone(gateway, added.id)
        #expect(failed.mirror?.state == .failed)
        #expect(failed.mirror?.error?.code == Int32(StatusCode.resourceExhausted.rawValue))
        #expect(failed.mirror?.error?.message.contains("maximumMirrorByteCount (100000 bytes)") == true)
        #expect(copies(gateway).isEmpty)
        await expectError(.failedPrecondition, "REPOSITORY_UNREADABLE") {
            try await gateway.blame(BlameFileRequest(repositoryID: added.id, path: "a.txt"))
        }
        let answer = try result(try await sync(gateway, SyncRepositoriesRequest(fetchMirrors: true)))
        #expect(answer.failures.map(\.repositoryID) == [added.id])
        #expect(answer.failures.first?.status?.code == Int32(StatusCode.resourceExhausted.rawValue))
        try source.git("reset", "-q", "--hard", "HEAD~1")
        try source.git("reflog", "expire", "--expire=now", "--all")
        let good = try result(try await sync(gateway, SyncRepositoriesRequest(fetchMirrors: true)))
        #expect(good.fetchedRepositoryIDs == [added.id])
        #expect(try await get(gateway, added.id).mirror?.state == .ready)
        await gateway.service.shutdown()
    }

    /// A source that goes away: what was there stays readable.
    @Test func aFailedFetchKeepsTheCopy() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let added = try await create(gateway, "file://\(source.path)")
        _ = try await whenDone(gateway, added.id)
        try FileManager.default.moveItem(atPath: source.path + "/.git", toPath: source.path + "/gone")
        let answer = try result(try await sync(gateway, SyncRepositoriesRequest(
            repositoryIDs: [added.id], fetchMirrors: true)))
        #expect(answer.failures.count == 1)
        let state = try await get(gateway, added.id).mirror
        #expect(state?.state == .failed && state?.fetchedAt != nil)
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: added.id, path: "a.txt")).count == 1)
        await gateway.service.shutdown()
    }

    /// A git that never ends: deleting, cancelling the sync and stopping kill it and what it started.
    @Test(arguments: ["delete", "cancel", "shutdown", "timeout"])
    func whatIsBrokenOffLeavesNoProcess(how: String) async throws {
        let source = try makeSource()
        let folder = TestRepository.temporaryFolder()
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let script = """
            #!/bin/sh
            case "$1" in
            clone) sleep 1000 & echo $! > '\(folder)/new' && mv '\(folder)/new' '\(folder)/pid'; wait ;;
            *) exec git "$@" ;;
            esac

            """
        try script.write(toFile: folder + "/git", atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/git")
        let gateway = try await gateway(source) {
            $0.git.gitPath = folder + "/git"
            if how == "timeout" { $0.mirrors.transferTimeout = .seconds(1) }
        }
        let added = try await create(gateway, "file://\(source.path)")
        func pid() async throws -> pid_t {
            while true {
                if let text = try? String(contentsOfFile: folder + "/pid", encoding: .utf8),
                    let number = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines))
                { return number }
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        let process: pid_t
        switch how {
        case "delete":
            process = try await pid()
            _ = try await gateway.service.deleteRepository(
                DeleteRepositoryRequest(repositoryID: added.id), context: gateway.context())
        case "cancel":
            // The first job is the server's own; a sync that began one ends it with itself.
            process = try await pid()
            let row = try #require(
                try await gateway.service.directory.find(id: added.id, organizationID: gateway.first))
            let first = gateway.service.mirrors.start(row)
            #expect(!first.isNew)
            first.job.cancel()
            _ = await first.job.end()
            try FileManager.default.removeItem(atPath: folder + "/pid")
            let call = Task { try await sync(gateway, SyncRepositoriesRequest(fetchMirrors: true)) }
            let second = try await pid()
            call.cancel()
            _ = try? await call.value
            while kill(second, 0) == 0 { try await Task.sleep(for: .milliseconds(20)) }
        case "shutdown":
            process = try await pid()
            await gateway.service.shutdown()
        default:
            process = try await pid()
            let failed = try await whenDone(gateway, added.id)
            #expect(failed.mirror?.error?.code == Int32(StatusCode.deadlineExceeded.rawValue))
        }
        while kill(process, 0) == 0 { try await Task.sleep(for: .milliseconds(20)) }
        #expect(copies(gateway).isEmpty)
        await gateway.service.shutdown()
    }

    /// What a stopped server began is gone on with.
    @Test func aRestartGoesOn() async throws {
        let source = try makeSource()
        let gateway = try await gateway(source)
        let added = try await create(gateway, "file://\(source.path)")
        _ = try await whenDone(gateway, added.id)
        _ = try await gateway.database.write { try $0.execute("UPDATE repositories SET mirror_state = 3") }
        try FileManager.default.createDirectory(
            atPath: gateway.folder + "/data/mirrors/new/left", withIntermediateDirectories: true)
        try FileManager.default.createDirectory(
            atPath: gateway.folder + "/data/mirrors/ab/cd/nobodys.git", withIntermediateDirectories: true)
        try await gateway.service.resume()
        #expect(try await whenDone(gateway, added.id).mirror?.state == .ready)
        #expect(copies(gateway).count == 1)
        await gateway.service.shutdown()
    }

    /// Nothing that the source's owner wrote there runs.
    @Test func aHostileSourceRunsNothing() async throws {
        let source = try makeSource()
        let marker = TestRepository.temporaryFolder()
        let evil = marker + ".sh"
        try "#!/bin/sh\ntouch '\(marker)'\nexit 0\n".write(toFile: evil, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: evil)
        defer { try? FileManager.default.removeItem(atPath: evil) }
        for key in ["uploadpack.packObjectsHook", "core.fsmonitor", "core.alternateRefsCommand", "core.sshCommand"] {
            try source.git("config", key, evil)
        }
        for hook in ["post-checkout", "reference-transaction", "post-update", "pre-receive"] {
            try? FileManager.default.removeItem(atPath: "\(source.path)/.git/hooks/\(hook)")
            try FileManager.default.copyItem(atPath: evil, toPath: "\(source.path)/.git/hooks/\(hook)")
        }
        try source.write(".gitmodules", "[submodule \"x\"]\n\tpath = x\n\turl = ext::\(evil)\n")
        try source.git("add", "-A")
        try source.git("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "commit", "-qm", "submodule")
        try? FileManager.default.removeItem(atPath: marker)
        let gateway = try await gateway(source)
        let added = try await create(gateway, "file://\(source.path)")
        #expect(try await whenDone(gateway, added.id).mirror?.state == .ready)
        _ = try await sync(gateway, SyncRepositoriesRequest(fetchMirrors: true))
        #expect(!FileManager.default.fileExists(atPath: marker))
        await gateway.service.shutdown()
    }

    static let badAddresses = [
        "ext::sh -c touch% /tmp/x", "https://user:secret@example.org/x", "https://user@example.org/x", "https://",
        "https:///x", "https://example.org", "https://example.org/", "https://-x/y", "https://a b/c", "https://a/b?c=d",
        "https://a/b#c", "ssh://-oProxyCommand=x/y", "ssh://-x@host/y", "ftp://example.org/x", "git://example.org/x",
        "https://example.org:0/x", "https://example.org:99999/x", "https://example.org:x/y", "https://[::1/x",
        "https://[zz::]/x", "https://a//b", "file://host/x", "https://a/b\n", "https://a/\u{E9}", "https://a/b'c",
        "://x/y"
    ]

    @Test(arguments: badAddresses)
    func badAddressesAreRefused(address: String) async throws {
        #expect(throws: GitError.self) { try RemoteAddress(address) }
        let gateway = try await Gateway { $0.mirrors.schemes = ["https", "ssh", "http", "file"] }
        await expectError(.invalidArgument, "BAD_REQUEST", field: "identifier") { try await create(gateway, address) }
        await gateway.service.shutdown()
    }

    @Test func addressesHaveOneForm() throws {
        #expect(try RemoteAddress("HTTPS://Example.ORG:443/a/b.git//").text == "https://example.org/a/b.git")
        #expect(try RemoteAddress("ssh://git@example.org:2222/~/x").text == "ssh://git@example.org:2222/~/x")
        #expect(try RemoteAddress("https://[2001:DB8::1]/x").text == "https://[2001:db8::1]/x")
        #expect(try RemoteAddress("https://example.org/a/b.git").defaultName == "b")
    }

    /// Server-side request forgery: no connection to what the operator did not allow, by name or by number.
    @Test(arguments: [
        "https://127.0.0.1/x", "http://localhost/x", "https://[::1]/x", "https://169.254.169.254/latest",
        "ssh://10.0.0.1/x",
        "https://[::ffff:127.0.0.1]/x", "https://example.org:22/x", "https://[fd00:ec2::254]/x", "https://0.0.0.0/x",
        "http://2130706433/x",
    ])
    func placesThatAreNotAllowed(address: String) async throws {
        let gateway = try await Gateway {
            $0.mirrors.schemes = ["https", "http", "ssh"]
            // Never started: the addresses are refused before.
            $0.git.gitPath = "/bin/false"
        }
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(gateway, address) }
        await gateway.service.shutdown()
    }

    @Test func schemesAndFoldersAreTheOperators() async throws {
        let source = try makeSource()
        let gateway = try await Gateway { $0.repositoryRoots = [source.path] }
        for address in ["file://\(source.path)", "ssh://example.org/x", "http://example.org/x"] {
            await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(gateway, address) }
        }
        let other = try await Gateway { $0.mirrors.schemes = ["file"] }
        await expectError(.failedPrecondition, "NO_REPO_ACCESS") { try await create(other, "file://\(source.path)") }
        await gateway.service.shutdown()
        await other.service.shutdown()
    }

    @Test func syncFollowsFolders() async throws {
        let log = KeptLog()
        let gateway = try await Gateway(logger: log.logger)
        let repository = try makeSource()
        let other = try makeSource()
        let id = try await gateway.add(repository)
        let hidden = try await gateway.add(other)
        let foreign = try await gateway.add(repository, organizationID: gateway.second)
        _ = try await gateway.database.write {
            try $0.execute("UPDATE repositories SET status = 3 WHERE id = ?", [.integer(hidden)])
        }
        try FileManager.default.moveItem(atPath: repository.path + "/.git", toPath: repository.path + "/gone")
        let dry = try result(try await sync(gateway, SyncRepositoriesRequest(dryRun: true)))
        #expect(dry.disabled.map(\.id) == [id] && dry.disabled.first?.status == .disabled)
        #expect(try await get(gateway, id).status == .active)
        #expect(log.lines.isEmpty, "a dry run changes nothing")
        let gone = try result(try await sync(gateway, SyncRepositoriesRequest()))
        #expect(gone.disabled.map(\.id) == [id] && gone.reactivated.isEmpty)
        #expect(try await get(gateway, id).status == .disabled)
        try FileManager.default.moveItem(atPath: repository.path + "/gone", toPath: repository.path + "/.git")
        let back = try result(try await sync(gateway, SyncRepositoriesRequest(includeHidden: true)))
        #expect(back.restored.map(\.id) == [id] && back.reactivated.map(\.id) == [hidden])
        // One line for each repository that changed.
        #expect(log.lines == [
            "repository disabled by a sync key=1 organization=1 repository=\(id)",
            "repository enabled by a sync key=1 organization=1 repository=\(id)",
            "repository enabled by a sync key=1 organization=1 repository=\(hidden)",
        ])
        #expect(try await gateway.blame(BlameFileRequest(repositoryID: id, path: "a.txt")).count == 1)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await sync(gateway, SyncRepositoriesRequest(repositoryIDs: [foreign]))
        }
        await gateway.service.shutdown()
    }
}

@Suite(.timeLimit(.minutes(5))) struct TransferProgressTests {
    private static let output = Array("""
        Cloning into bare repository 'x'...
        remote: Enumerating objects: 12, done.\u{20}\u{20}
        remote: Counting objects:  50% (6/12)\rremote: Counting objects: 100% (12/12), done.
        Receiving objects:  45% (9/20), 1.20 MiB | 2.00 MiB/s\rReceiving objects: 100% (20/20)
        remote: Evil phase: 1% (1/2)
        fatal: the end
        """.utf8)

    @Test func everySplitTellsTheSame() {
        for split in Self.output.indices {
            var reader = TransferProgressReader()
            let first = reader.feed(Array(Self.output[..<split]))
            let last = reader.feed(Array(Self.output[split...])) ?? first
            #expect(last == TransferProgress(phase: "receiving objects", done: 20, total: 20), "split at \(split)")
            let text = reader.finish()
            #expect(text.contains("Cloning into") && text.hasSuffix("fatal: the end\n") && text.contains("Evil phase"))
            #expect(!text.contains("Counting"))
        }
    }

    @Test func textAndNumbersAreBounded() {
        var reader = TransferProgressReader()
        _ = reader.feed(Array(repeating: UInt8(ascii: "x"), count: 10_000_000))
        #expect(reader.finish().utf8.count < 20_000)
        #expect(reader.feed(Array("Receiving objects: 1% (99999999999999999999/3)\n".utf8))?.total == 0)
        #expect(reader.feed(Array("Receiving objects: 1% (5/3)\n".utf8))?.total == 0)
    }
}
