import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct GrepParserTests {
    private let commit = ObjectID(String(repeating: "a", count: 40))
    private let colours = GrepColours()

    private func marked(_ parts: [(String, Bool)]) -> [UInt8] {
        parts.flatMap { text, isMatch in
            (isMatch ? colours.match.escape : colours.rest.escape) + Array(text.utf8) + GrepColours.reset
        }
    }

    private func record(_ path: String, _ number: Int, _ line: [UInt8]) throws -> [UInt8] {
        Array("\(try #require(commit).hex):\(path)\0\(number)\0".utf8) + line + [10]
    }

    private func parse(_ pieces: [ArraySlice<UInt8>], maximum: Int = 10) throws -> [FoundFile] {
        var parser = GrepParser(
            commit: try #require(commit), colours: colours, maximumMatchCount: maximum, contextLineCount: 1
        )
        var files: [FoundFile] = []
        for piece in pieces { files += try parser.feed(Array(piece)) }
        if let last = try parser.finish() { files.append(last) }
        return files
    }

    private func output() throws -> [UInt8] {
        try record("a", 1, Array("near\u{1B}[m".utf8))
            + record("a", 2, marked([("", false), ("x", true), ("é\u{1B}[m", false), ("x", true), ("", false)]))
            + Array("--\n".utf8)
            + record("b\n--\nc", 7, marked([("", false), ("y\r", true)]))
    }

    @Test func everySplitGivesTheSame() throws {
        let bytes = try output()
        let expected = [
            FoundFile(path: Array("a".utf8), lines: [
                FoundLine(number: 1, text: "near\u{1B}[m", ranges: [], isMatch: false),
                FoundLine(number: 2, text: "xé\u{1B}[mx", ranges: [0..<1, 6..<7], isMatch: true),
            ]),
            FoundFile(path: Array("b\n--\nc".utf8), lines: [
                FoundLine(number: 7, text: "y", ranges: [0..<1], isMatch: true)
            ]),
        ]
        #expect(try parse([bytes[...]]) == expected)
        #expect(try parse(bytes.indices.map { bytes[$0...$0] }) == expected)
        for split in bytes.indices {
            #expect(try parse([bytes[..<split], bytes[split...]]) == expected, "split at \(split)")
        }
    }

    @Test func moreMatchesThanWanted() throws {
        let match = marked([("x", true)])
        let bytes = try (1...3).flatMap { try record("a", $0 * 10, match) + record("a", $0 * 10 + 1, [65]) }
        let files = try parse([bytes[...]], maximum: 2)
        #expect(files.count == 1)
        #expect(files[0].isTruncated)
        #expect(files[0].lines.map(\.number) == [10, 11, 20, 21])
    }

    @Test func linesNearTheLastKeptMatchAreKeptWhateverTheyAre() throws {
        let match = marked([("x", true)])
        let bytes = try (1...5).flatMap { try record("a", $0, match) } + record("b", 1, match)
        let files = try parse([bytes[...]], maximum: 2)
        #expect(files.map(\.isTruncated) == [true, false])
        #expect(files[0].lines.map(\.number) == [1, 2, 3])
        #expect(files[0].lines.map(\.isMatch) == [true, true, false])
        #expect(files[0].lines[2] == FoundLine(number: 3, text: "x", ranges: [], isMatch: false))
    }

    @Test func whatIsNoAnswerIsRefused() throws {
        let good = try output()
        for cut in [1, 45, good.count - 1] {
            #expect(throws: GitError.self, "cut at \(cut)") { try parse([good[..<cut]]) }
        }
        let word = Array("fatal: something, and a lot of text that is no commit at all\n".utf8)
        #expect(throws: GitError.self) { try parse([word[...]]) }
        let number = try record("a", 1, [65]).map { $0 == UInt8(ascii: "1") ? UInt8(ascii: "x") : $0 }
        #expect(throws: GitError.self) { try parse([number[...]]) }
    }

    @Test func coloursAreDifferentEachTime() {
        #expect(colours.match.escape != colours.rest.escape)
        #expect(GrepColours().match.setting.count == 7)
        #expect(GrepColours().match.escape.starts(with: Array("\u{1B}[38;2;".utf8)))
    }
}
