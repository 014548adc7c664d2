import Foundation
import RPC
import ScmAPI
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct SearchServiceTests {
    private func makeRepository(format: String = "sha1") throws -> TestRepository {
        let repository = try TestRepository(format: format)
        try repository.write("image.bin", Data([0, 1, 2, 10]) + Data("needle\n".utf8))
        try repository.commit("first", [
            "src/main.swift": "one\nlet needle = needle + 1\nthree\nfour\nfive\nNeedle\n",
            "src/deep/tool.c": "needles\r\n", "src/mainly.txt": "x needle\n", "docs/é.md": "ÉTÉ needle été\n",
            "a\nb.txt": "needle in a file with a newline\n", "README": "nothing\n", "-e": "needle\n",
            ":(glob)*": "needle\n",
        ])
        return repository
    }

    private func search(
        _ gateway: Gateway, _ request: SearchCodeRequest, organizationID: Int64? = nil
    ) async throws -> SearchCodeResponse {
        try await gateway.service.searchCode(request, context: gateway.context(organizationID: organizationID))
    }

    private func stream(_ gateway: Gateway, _ request: StreamSearchCodeRequest) async throws
        -> [StreamSearchCodeResponse]
    {
        let collected = Collected<StreamSearchCodeResponse>()
        try await gateway.service.streamSearchCode(
            request, responses: ResponseWriter { collected.append($0) }, context: gateway.context())
        return collected.values
    }

    @Test(arguments: ["sha1", "sha256"])
    func textIsFoundWithItsPlaces(format: String) async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository(format: format)
        let id = try await gateway.add(repository)
        let head = try repository.head().hex
        let answer = try await search(
            gateway, SearchCodeRequest(repositoryID: id, query: "needle", caseSensitive: true))
        #expect(answer.matches.map(\.path) == [
            "-e", ":(glob)*", "a\nb.txt", "docs/é.md", "src/deep/tool.c", "src/main.swift", "src/mainly.txt",
        ])
        #expect(!answer.incomplete && answer.nextPageToken.isEmpty)
        let main = try #require(answer.matches.first { $0.path == "src/main.swift" })
        #expect(main.ref == head)
        #expect(main.sha == (try repository.git("rev-parse", "HEAD:src/main.swift")))
        #expect(main.fragments == [CodeFragment(
            startLine: 2, text: "let needle = needle + 1", ranges: [.init(start: 4, end: 10), .init(start: 13, end: 19)]
        )])
        let text = try #require(answer.matches.first { $0.path == "docs/é.md" }?.fragments.first)
        #expect(text.ranges == [.init(start: 6, end: 12)])
        #expect(answer.matches.first { $0.path == "src/deep/tool.c" }?.fragments.first?.text == "needles")
        await gateway.service.shutdown()
    }

    @Test func caseWordsExpressionsAndContext() async throws {
        let gateway = try await Gateway()
        let repository = try makeRepository()
        defer { withExtendedLifetime(repository) {} }
        let id = try await gateway.add(repository)
        let anyCase = try await search(
            gateway, SearchCodeRequest(repositoryID: id, query: "NEEDLE", filename: "main.swift"))
        #expect(anyCase.matches.first?.fragments.map(\.startLine) == [2, 6])
        // Letters, not bytes.
        let letters = try await search(gateway, SearchCodeRequest(repositoryID: id, query: "été"))
        #expect(letters.matches.first?.fragments.first?.ranges.count == 2)
        let word = try await search(gateway, SearchCodeRequest(
            repositoryID: id, query: "needle", extension: "c", wholeWord: true))
        #expect(word.matches.isEmpty)
        let expression = try await search(gateway, SearchCodeRequest(
            repositoryID: id, query: "n(e{2})d.e", filename: "mainly.txt", syntax: .regex))
        #expect(expression.matches.first?.fragments.first?.ranges == [.init(start: 2, end: 8)])
        let context = try await search(gateway, SearchCodeRequest(
            repositoryID: id, query: "needle", filename: "main.swift", caseSensitive: true, contextLines: 1))
        #expect(context.matches.first?.fragments == [CodeFragment(
            startLine: 1, text: "one\nlet needle = needle + 1\nthree",
            ranges: [.init(start: 8, end: 14), .init(start: 17, end: 23)]
        )])
        let empty = try await search(gateway, SearchCodeRequest(
            repositoryID: id, query: "x*", filename: "mainly.txt", syntax: .regex))
        #expect(empty.matches.first?.fragments.first?.text == "x needle")
        let few = try await search(gateway, SearchCodeRequest(
            repositoryID: id, query: "e", filename: "main.swift", contextLines: 1, maxMatchesPerFile: 1))
        #expect(few.matches.first?.truncated == true)
        // The line after it is near the match, although it is one that is not kept.
        #expect(few.matches.first?.fragments == [CodeFragment(
            startLine: 1, text: "one\nlet needle = needle + 1", ranges: [.init(start: 2, end: 3)]
        )])
        await gateway.service.shutdown()
    }

    static let filters: [(SearchCodeRequest, [String])] = [
        (.init(pathPrefix: "src/"), ["src/deep/tool.c", "src/main.swift", "src/mainly.txt"]),
        (.init(pathPrefix: "/src/mai"), ["src/main.swift", "src/mainly.txt"]),
        (.init(pathPrefix: "src/dee"), ["src/deep/tool.c"]),
        (.init(pathPrefix: "nowhere"), []),
        (.init(extension: "c"), ["src/deep/tool.c"]),
        (.init(extension: "*"), []),
        (.init(filename: ":(glob)*"), [":(glob)*"]),
        (.init(filename: "-e"), ["-e"]),
        (.init(pathPrefix: "src/", extension: "swift"), ["src/main.swift"]),
        (.init(includeGlobs: ["src/*"]), ["src/main.swift", "src/mainly.txt"]),
        (.init(includeGlobs: ["src/**"]), ["src/deep/tool.c", "src/main.swift", "src/mainly.txt"]),
        (.init(includeGlobs: ["**/*.c", "docs/"]), ["docs/é.md", "src/deep/tool.c"]),
        (.init(pathPrefix: "src/", includeGlobs: ["**/*.c", "docs/"]), ["src/deep/tool.c"]),
        (.init(includeGlobs: ["src/**"], excludeGlobs: ["**/*.txt"]), ["src/deep/tool.c", "src/main.swift"]),
        (.init(pathPrefix: "src/", excludeGlobs: ["src/deep"]), ["src/main.swift", "src/mainly.txt"]),
    ]

    @Test(arguments: filters)
    func pathsAreChosen(request: SearchCodeRequest, paths: [String]) async throws {
        let gateway = try await Gateway()
        var request = request
        let repository = try makeRepository()
        defer { withExtendedLifetime(repository) {} }
        request.repositoryID = try await gateway.add(repository)
        request.query = "needle"
        #expect(try await search(gateway, request).matches.map(\.path) == paths)
        await gateway.service.shutdown()
    }

    @Test(arguments: [1, 7, 100])
    func pagesSeeEachFileOnce(size: Int) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let names = (0..<300).map { "d\($0 % 7)/f\($0)" }
        try repository.commit("many", Dictionary(uniqueKeysWithValues: names.map { ($0, "needle \($0)\n") }))
        var request = SearchCodeRequest(repositoryID: try await gateway.add(repository), query: "needle")
        request.pageSize = Int32(size)
        var found: [String] = []
        repeat {
            let page = try await search(gateway, request)
            #expect(page.matches.count <= size)
            // Known once the search has come to its end, which the first page may do for all.
            #expect(page.totalEstimate == 300 || (page.totalEstimate == 0 && !page.nextPageToken.isEmpty))
            found += page.matches.map(\.path)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(found.count == 300)
        #expect(Set(found) == Set(names))
        let stream = try await stream(gateway, StreamSearchCodeRequest(search: request))
        #expect(stream.flatMap { $0.matches.map(\.path) } == found)
        #expect(stream.last?.incomplete == false)
        let cut = try await self.stream(gateway, StreamSearchCodeRequest(search: request, maxFiles: 20))
        #expect(cut.flatMap { $0.matches.map(\.path) } == Array(found.prefix(20)))
        #expect(cut.last?.incomplete == true)
        await gateway.service.shutdown()
    }

    @Test func allRepositoriesOfTheOrganization() async throws {
        let gateway = try await Gateway()
        let empty = try TestRepository()
        let other = try TestRepository()
        try other.commit("other", ["x": "needle of somebody else\n"])
        let repositories = try (0..<3).map { number in
            let repository = try TestRepository()
            try repository.commit("c", ["f\(number)": "needle\n", "g\(number)": "needle\n"])
            return repository
        }
        let foreign = try await gateway.add(other, organizationID: gateway.second)
        _ = try await gateway.add(empty)
        var ids: [Int64] = []
        for repository in repositories { ids.append(try await gateway.add(repository)) }
        var request = SearchCodeRequest(query: "needle", pageSize: 4)
        var found: [String] = []
        repeat {
            let page = try await search(gateway, request)
            #expect(!page.incomplete)
            #expect(page.matches.allSatisfy { ids.contains($0.repositoryID) })
            found += page.matches.map(\.path)
            request.pageToken = page.nextPageToken
        } while !request.pageToken.isEmpty
        #expect(found == ["f0", "g0", "f1", "g1", "f2", "g2"])
        // One that cannot be read is left out, and the answer says so.
        try FileManager.default.removeItem(atPath: repositories[1].path)
        let rest = try await search(gateway, SearchCodeRequest(query: "needle"))
        #expect(rest.matches.map(\.path) == ["f0", "g0", "f2", "g2"])
        #expect(rest.incomplete)
        await expectError(.notFound, "REPOSITORY_NOT_FOUND") {
            try await self.search(gateway, SearchCodeRequest(repositoryID: foreign, query: "needle"))
        }
        await gateway.service.shutdown()
    }

    @Test func anotherRevision() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let first = try repository.commit("first", ["a": "old needle\n"])
        try repository.commit("second", ["a": "new\n"])
        let id = try await gateway.add(repository)
        #expect(try await search(gateway, SearchCodeRequest(repositoryID: id, query: "needle")).matches.isEmpty)
        let old = try await search(gateway, SearchCodeRequest(repositoryID: id, query: "needle", ref: first.hex))
        #expect(old.matches.map(\.ref) == [first.hex])
        await expectError(.notFound, "REVISION_NOT_FOUND") {
            try await self.search(gateway, SearchCodeRequest(repositoryID: id, query: "needle", ref: "nowhere"))
        }
        await gateway.service.shutdown()
    }

    static let badRequests: [(SearchCodeRequest, String)] = [
        (.init(query: ""), "query"),
        (.init(query: String(repeating: "x", count: 1025)), "query"),
        (.init(query: "a\nb"), "query"),
        (.init(query: "a\0b"), "query"),
        (.init(query: "a(", syntax: .regex), "query"),
        (.init(query: "(a)\\1", syntax: .regex), "query"),
        (.init(query: "((a{100}){100}){100}", syntax: .regex), "query"),
        (.init(query: "a{99999}", syntax: .regex), "query"),
        (.init(query: "a", ref: "--output=x"), "ref"),
        (.init(query: "a", ref: "HEAD:a"), "ref"),
        (.init(query: "a", syntax: SearchSyntax(rawValue: 9)), "syntax"),
        (.init(query: "a", contextLines: 11), "context_lines"),
        (.init(query: "a", maxMatchesPerFile: -1), "max_matches_per_file"),
        (.init(query: "a", includeGlobs: ["../x"]), "include_globs"),
        (.init(query: "a", includeGlobs: [""]), "include_globs"),
        (.init(query: "a", includeGlobs: Array(repeating: "a", count: 21)), "include_globs"),
        (.init(query: "a", excludeGlobs: ["a//b"]), "exclude_globs"),
        (.init(query: "a", excludeGlobs: ["a\0b"]), "exclude_globs"),
        (.init(query: "a", pathPrefix: "a/../b"), "path_prefix"),
        (.init(query: "a", filename: "a/b"), "path_prefix"),
        (.init(query: "a", pageToken: "x"), "page_token"),
        (.init(query: "a", pageSize: -1), "page_size"),
    ]

    @Test(arguments: badRequests)
    func badFieldsAreNamed(request: SearchCodeRequest, field: String) async throws {
        let gateway = try await Gateway()
        var request = request
        let repository = try makeRepository()
        defer { withExtendedLifetime(repository) {} }
        request.repositoryID = try await gateway.add(repository)
        await expectError(.invalidArgument, "BAD_REQUEST", field: field) { try await self.search(gateway, request) }
        await gateway.service.shutdown()
    }

    /// Words that git would read as options, magic or programs are text.
    @Test(arguments: [
        "--open-files-in-pager=touch /tmp/scm-search-evil", "-Otouch", "-f/etc/passwd", "--", "-e", ":(glob)x"
    ])
    func wordsAreText(word: String) async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        try repository.commit("c", ["f": "say \(word) now\n", "other": "x\n"])
        let id = try await gateway.add(repository)
        let found = try await search(gateway, SearchCodeRequest(repositoryID: id, query: word))
        #expect(found.matches.map(\.path) == ["f"])
        for request in [
            SearchCodeRequest(repositoryID: id, query: "x", filename: word.replacingOccurrences(of: "/", with: "")),
            SearchCodeRequest(repositoryID: id, query: "x", includeGlobs: [word]),
        ] {
            #expect(try await search(gateway, request).matches.isEmpty)
        }
        #expect(!FileManager.default.fileExists(atPath: "/tmp/scm-search-evil"))
        await gateway.service.shutdown()
    }

    @Test func colouredAndLongLines() async throws {
        let gateway = try await Gateway()
        let repository = try TestRepository()
        let long = String(repeating: "x", count: 5_000_000)
        try repository.commit("c", [
            "colour": "\u{1B}[m needle \u{1B}[31mred\u{1B}[m needle\u{1B}[m\n", "long": "needle \(long)\nneedle\n",
            "late": "\(long) needle\n",
        ])
        try repository.write("bytes", Data([0xFF, 0xFE]) + Data(" needle ".utf8) + Data([0xFF, 10]))
        try repository.commit("bytes", [:])
        let id = try await gateway.add(repository)
        let found = try await search(gateway, SearchCodeRequest(repositoryID: id, query: "needle")).matches
        #expect(found.map(\.path) == ["bytes", "colour", "late", "long"])
        #expect(found.first?.fragments.first?.text == "\u{FFFD}\u{FFFD} needle \u{FFFD}")
        #expect(found.first?.fragments.first?.ranges == [.init(start: 7, end: 13)])
        let colour = try #require(found.dropFirst().first?.fragments.first)
        #expect(colour.text == "\u{1B}[m needle \u{1B}[31mred\u{1B}[m needle\u{1B}[m")
        #expect(colour.ranges == [.init(start: 4, end: 10), .init(start: 23, end: 29)])
        #expect(found.last?.fragments.first?.text.hasSuffix("\nneedle") == true)
        #expect(found.last?.fragments.first?.text.count == 1007)
        #expect(found[2].fragments.first?.ranges == [])
        await gateway.service.shutdown()
    }

    @Test func repositoriesBelowTheRootsAreFound() async throws {
        let root = TestRepository.temporaryFolder()
        let gateway = try await Gateway { $0.repositoryRoots = [root] }
        defer { try? FileManager.default.removeItem(atPath: root) }
        let app = try TestRepository(bare: true, at: root + "/team/app.git")
        let web = try TestRepository(at: root + "/web")
        try web.commit("c", ["a": "x\n"])
        let inside = try TestRepository(at: root + "/web/vendored")
        try FileManager.default.createSymbolicLink(atPath: root + "/loop", withDestinationPath: root)
        let id = try await gateway.add(web)
        let context = gateway.context()
        let all = try await gateway.service.searchRepositories(SearchRepositoriesRequest(), context: context)
        #expect(all.results.map(\.name) == ["app", "web"])
        #expect(all.results.map(\.identifier) == [app.path, web.path])
        #expect(all.results.map(\.repositoryID) == [0, id])
        #expect(all.results.map(\.defaultBranch) == ["", "main"])
        #expect(all.results.map(\.private) == [true, true])
        #expect(!all.truncated)
        let one = try await gateway.service.searchRepositories(SearchRepositoriesRequest(query: "AP"), context: context)
        #expect(one.results.map(\.name) == ["app"])
        let first = try await gateway.service.searchRepositories(
            SearchRepositoriesRequest(pageSize: 1), context: context)
        let rest = try await gateway.service.searchRepositories(
            SearchRepositoriesRequest(pageSize: 1, pageToken: first.nextPageToken), context: context)
        #expect((first.results + rest.results).map(\.name) == ["app", "web"])
        #expect(rest.nextPageToken.isEmpty)
        await expectError(.unimplemented, "CAPABILITY_MISSING") {
            try await gateway.service.searchRepositories(SearchRepositoriesRequest(provider: .github), context: context)
        }
        await expectError(.notFound, "INTEGRATION_NOT_FOUND") {
            try await gateway.service.searchRepositories(SearchRepositoriesRequest(integrationID: 4), context: context)
        }
        withExtendedLifetime(inside) {}
        await gateway.service.shutdown()
    }
}
