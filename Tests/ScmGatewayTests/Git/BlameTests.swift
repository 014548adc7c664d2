import Foundation
import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct BlameTests {
    /// Line -> (commit, original line, original path) as `git blame --porcelain` says.
    static func expected(
        _ repository: TestRepository, _ path: String, at commit: String
    ) throws -> [Int: String] {
        var result: [Int: String] = [:]
        var paths: [Substring: Substring] = [:]
        var pending: (line: Int, commit: Substring, original: Substring)?
        let output = try repository.git("-c", "core.quotePath=false", "blame", "--porcelain", commit, "--", path)
        for line in output.split(separator: "\n", omittingEmptySubsequences: false) {
            let words = line.split(separator: " ")
            if line.hasPrefix("\t") {
                if let entry = pending {
                    result[entry.line] = "\(entry.commit) \(entry.original) \(paths[entry.commit] ?? "")"
                }
                pending = nil
            } else if words.count >= 3, ObjectID(words[0]) != nil, let number = Int(words[2]) {
                pending = (number, words[0], words[1])
            } else if line.hasPrefix("filename "), let entry = pending {
                paths[entry.commit] = line.dropFirst(9)
            }
        }
        return result
    }

    static func lines(_ hunks: [GitBlameHunk]) -> [Int: String] {
        var result: [Int: String] = [:]
        for hunk in hunks {
            for offset in 0..<hunk.lineCount {
                let path = String(decoding: hunk.originalPath, as: UTF8.self)
                result[hunk.line + offset] = "\(hunk.commit) \(hunk.originalLine + offset) \(path)"
            }
        }
        return result
    }

    @Test(arguments: ["sha1", "sha256"])
    func everyFileIsBlamedAsGitDoes(format: String) async throws {
        let repository = try makeStoriedRepository(format: format)
        let engine = try GitEngine()
        let opened = try await repository.open(engine)
        let head = try repository.head()
        for path in ["renamed numbers.txt", "a \"b\".txt", "image.bin", "sub/é.txt"] {
            var hunks: [GitBlameHunk] = []
            let query = BlameQuery(commit: head, path: try RepositoryPath(path))
            try await engine.blame(query, in: opened) { hunks += $0 }
            let expected = try Self.expected(repository, path, at: head.hex)
                .mapValues { $0.replacingOccurrences(of: "\"a \\\"b\\\".txt\"", with: "a \"b\".txt") }
            #expect(Self.lines(hunks) == expected)
            #expect(!expected.isEmpty)
            for line in expected.keys {
                let hunk = try await GitEngine().blameLine(line, query, in: opened)
                #expect(Self.lines([hunk])[line] == expected[line])
            }
        }
        await engine.shutDown()
    }
}
