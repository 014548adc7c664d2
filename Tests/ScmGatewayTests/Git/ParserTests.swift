import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct ParserTests {
    static let a = String(repeating: "a", count: 40)
    static let b = String(repeating: "b", count: 40)

    /// Feeds `text` whole, byte by byte, and cut in two at every place.
    static func everySplit(_ bytes: [UInt8], _ check: ([[UInt8]]) throws -> Void) rethrows {
        try check([bytes])
        try check(bytes.map { [$0] })
        for cut in 0...bytes.count { try check([Array(bytes[..<cut]), Array(bytes[cut...])]) }
    }

    static let blame = """
        \(a) 3 1 2
        author Ada L
        author-mail <ada@example.org>
        author-time 1700000000
        author-tz +0100
        committer Bob
        committer-mail <bob@example.org>
        committer-time 1700000001
        committer-tz -0230
        summary a summary with  spaces
        previous \(b) "old\\tname"
        filename new name
        \(b) 1 3 1
        author
        summary root
        boundary
        filename "q\\"\\303\\251"
        \(a) 9 4 1
        filename new name

        """

    @Test func blameIsTheSameAtEverySplit() throws {
        try Self.everySplit(Array(Self.blame.utf8)) { pieces in
            var parser = BlameParser()
            var hunks: [GitBlameHunk] = []
            for piece in pieces { hunks += try piece.withUnsafeBytes { try parser.feed($0) } }
            try parser.finish()
            try #require(hunks.count == 3)
            #expect(hunks.map(\.line) == [1, 3, 4])
            #expect(hunks.map(\.lineCount) == [2, 1, 1])
            #expect(hunks.map(\.originalLine) == [3, 1, 9])
            #expect(hunks[0].details.author == GitIdentity(
                name: "Ada L", email: "ada@example.org", seconds: 1_700_000_000, offsetMinutes: 60))
            #expect(hunks[0].details.committer.offsetMinutes == -150)
            #expect(hunks[0].details.summary == "a summary with  spaces")
            #expect(hunks[0].previous?.commit.hex == Self.b)
            #expect(hunks[0].previous?.path == Array("old\tname".utf8))
            #expect(hunks[1].isBoundary && !hunks[0].isBoundary)
            #expect(hunks[1].originalPath == Array("q\"é".utf8))
            // What was said once holds for later entries of the same commit, but for the place.
            #expect(hunks[2].details == hunks[0].details)
            #expect(hunks[2].previous == nil)
        }
    }

    @Test(arguments: ["x", "\(a) 1 1", "\(a) 0 1 1", "\(a) 1 1 99999999999", "\(a) 1 1 -1", "zz 1 1 1"])
    func brokenBlameIsRefused(line: String) {
        var parser = BlameParser()
        #expect(throws: GitError.self) {
            try Array("\(line)\n".utf8).withUnsafeBytes { try parser.feed($0) }
        }
    }

    @Test func unfinishedBlameIsRefused() throws {
        var parser = BlameParser()
        _ = try Array("\(Self.a) 1 1 1\nauthor x\n".utf8).withUnsafeBytes { try parser.feed($0) }
        #expect(throws: GitError.self) { try parser.finish() }
    }

    @Test func longLinesAreCutShort() {
        var cutter = LineCutter()
        var lines: [Int] = []
        let bytes = [UInt8](repeating: 65, count: 100_000) + [10, 66, 10]
        for piece in [bytes[..<50_000], bytes[50_000...]] {
            Array(piece).withUnsafeBytes { cutter.feed($0) { lines.append($0.count) } }
        }
        #expect(lines == [LineCutter.maximumLineByteCount, 1])
    }

    static let answers = "\(a) commit 5\nhe\no\n\nb:x\ny missing\nab ambiguous\n\(b) blob 0\n\n"

    @Test func objectAnswersAreTheSameAtEverySplit() throws {
        let names = ["HEAD", "b:x\ny", "ab", "z"].map { Array($0.utf8) }
        try Self.everySplit(Array(Self.answers.utf8)) { pieces in
            let answers = ObjectAnswers(names: names, form: .contents, byteLimit: 100)
            for piece in pieces { try piece.withUnsafeBytes { try answers.feed($0) } }
            #expect(answers.isComplete)
            let results = answers.results.map { result in
                switch result {
                case .found(let object): "\(object.info.kind) \(object.content)"
                case .missing: "missing"
                case .ambiguous: "ambiguous"
                }
            }
            #expect(results == ["commit [104, 101, 10, 111, 10]", "missing", "ambiguous", "blob []"])
        }
    }

    @Test(arguments: [
        "x missing\n", "\(a) commit x\n", "\(a) commit -1\n", "\(a) thing 1\n", "\(a) blob 1\nab", "\(a) blob 101\n",
        "\(a) blob 99999999999999999999\n", "HEAD missing\nmore", String(repeating: "q", count: 300),
    ])
    func answersOutOfStepAreRefused(text: String) {
        let answers = ObjectAnswers(names: [Array("HEAD".utf8)], form: .contents, byteLimit: 100)
        #expect(throws: GitError.self) { try Array(text.utf8).withUnsafeBytes { try answers.feed($0) } }
    }

    @Test func questionsEndWithNUL() {
        let answers = ObjectAnswers(names: [Array("a\nb".utf8), [0xFF]], form: .info, byteLimit: 1)
        #expect(answers.question == Array("info a\nb\0info ".utf8) + [0xFF, 0])
    }

    @Test func commitObjectsAreReadWithAllTheirHeaders() throws {
        let id = try #require(ObjectID(Self.a))
        let text = """
            tree \(Self.b)
            parent \(Self.a)
            parent \(Self.b)
            author A. U. Thor <a@b> 1700000000 +0530
            committer <c@d> 1700000001 -0800
            gpgsig -----BEGIN PGP SIGNATURE-----
             parent \(Self.b)

             author x
             -----END PGP SIGNATURE-----
            extra thing

            subject

            body


            """
        let commit = try CommitObject(
            id: id, content: Array(text.replacingOccurrences("\n\n author", "\n \n author").utf8))
        #expect(commit.parents.map(\.hex) == [Self.a, Self.b])
        #expect(
            commit.author == GitIdentity(name: "A. U. Thor", email: "a@b", seconds: 1_700_000_000, offsetMinutes: 330))
        #expect(commit.committer == GitIdentity(name: "", email: "c@d", seconds: 1_700_000_001, offsetMinutes: -480))
        #expect(commit.message == "subject\n\nbody")
    }

    @Test func encodingsOfCommitsBecomeUnicode() throws {
        let id = try #require(ObjectID(Self.a))
        let head = Array("tree \(Self.b)\nauthor J".utf8) + [0xFC] + Array(" <j@x> 1 +0000\n".utf8)
        let latin = try CommitObject(id: id, content: head + Array("encoding ISO-8859-1\n\ncaf".utf8) + [0xE9, 10])
        #expect(latin.author.name == "Jü")
        #expect(latin.message == "café")
        let broken = try CommitObject(id: id, content: head + Array("\ncaf".utf8) + [0xE9])
        #expect(broken.author.name == "J\u{FFFD}")
        #expect(broken.message == "caf\u{FFFD}")
        #expect(throws: GitError.self) { try CommitObject(id: id, content: Array("object x\n".utf8)) }
    }

    @Test(arguments: [
        "", "<", ">", "><", "a", "a <", "a >", "a <b", "a <b> x y", "a <b> 99999999999999999999 +0000",
        "a <b> 1 +99999",
        "a <b> -1 zz", "<><><>",
    ])
    func brokenIdentitiesAreReadAsFarAsTheyGo(line: String) {
        let identity = GitIdentity(line: Array(line.utf8)[...], encoding: nil)
        #expect(abs(identity.offsetMinutes) <= 24 * 60)
    }

    @Test(arguments: [
        ("plain", "plain"), ("\"a b\"", "a b"), ("\"\\a\\b\\t\\n\\v\\f\\r\\\"\\\\\"", "\u{7}\u{8}\t\n\u{B}\u{C}\r\"\\"),
        ("\"\\303\\251\"", "é"), ("\"\\9\"", "\"\\9\""), ("\"\\", "\"\\"), ("\"", "\""), ("\"\\40\"", "\"\\40\""),
    ])
    func quotedPathsAreUnquoted(quoted: String, path: String) {
        #expect(QuotedPath.decode(Array(quoted.utf8)[...]) == Array(path.utf8))
    }

    @Test func fileChangesAreReadByPosition() throws {
        let zero = String(repeating: "0", count: 40)
        let output = """
            \(Self.a)\0:100644 100644 \(Self.a) \(Self.b) R087\0old\0new\0:000000 100644 \(zero) \(Self.b) A\0:x\0\
            1\t2\t\0old\0new\0-\t-\t:x\0\(Self.b)\0
            """
        var parser = FileChangeParser(Array(output.utf8), limit: 10)
        let result = try parser.parse()
        let (a, b) = (try #require(ObjectID(Self.a)), try #require(ObjectID(Self.b)))
        let first = try #require(result.changes[a])
        #expect(first.map(\.kind) == [.renamed, .added])
        #expect(first[0].path == Array("new".utf8) && first[0].previousPath == Array("old".utf8))
        #expect(first[0].similarity == 87 && first[0].additions == 1 && first[0].deletions == 2)
        #expect(first[1].path == Array(":x".utf8) && first[1].additions == nil && first[1].previousObjectID == nil)
        #expect(result.changes[b] == [])
        var short = FileChangeParser(Array(output.utf8), limit: 1)
        #expect(try short.parse().truncated.count == 1)
        for cut in 1..<output.utf8.count {
            var broken = FileChangeParser(Array(output.utf8.prefix(cut)), limit: 10)
            _ = try? broken.parse()
        }
    }

    @Test func blocksDoubleAndCoverEverything() {
        var index = 0
        var previous = 0
        while index < 400_000 {
            let block = HistoryBlock.containing(index)
            #expect(block.lowerBound == index)
            #expect(block.count <= max(HistoryBlock.smallest, block.lowerBound))
            #expect(HistoryBlock.containing(block.upperBound - 1) == block)
            #expect(block.count >= previous)
            (index, previous) = (block.upperBound, block.count)
        }
    }

    @Test func everyFlagIsAFlagAndNoValueIsOne() throws {
        for flag in GitCommand.Flag.allCases { #expect(flag.rawValue.hasPrefix("-")) }
        let id = try #require(ObjectID(Self.a))
        let command = GitCommand(.revList).flag(.author, "--output=x").including(id).path(try RepositoryPath("p"))
        let words = command.arguments.map { String(decoding: $0, as: UTF8.self) }
        #expect(words == ["rev-list", "--author=--output=x", "--end-of-options", Self.a, "--", "p"])
    }
}

extension String {
    func replacingOccurrences(_ old: String, _ new: String) -> String {
        var parts: [Substring] = []
        var rest = self[...]
        while let range = rest.firstRange(of: old) {
            parts.append(rest[..<range.lowerBound])
            rest = rest[range.upperBound...]
        }
        return (parts + [rest]).joined(separator: new)
    }
}
