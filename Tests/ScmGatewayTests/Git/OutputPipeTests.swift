import Foundation
import Testing

@testable import ScmGateway

@Suite struct OutputPipeTests {
    private func put(_ text: String, into pipe: OutputPipe) {
        #expect(text.utf8CString.withUnsafeBytes { write(pipe.writeEnd.rawValue, $0.baseAddress, text.utf8.count) } > 0)
    }

    @Test func whatWasWrittenComesAsOnePieceAndTheEndIsTold() async throws {
        let pipe = try OutputPipe()
        put("a", into: pipe)
        #expect(try await pipe.next(isFirst: true) == Array("a".utf8))
        for text in ["b", "c", "d"] { put(text, into: pipe) }
        #expect(try await pipe.next(isFirst: false) == Array("bcd".utf8))
        put("e", into: pipe)
        close(pipe.writeEnd.rawValue)
        #expect(try await pipe.next(isFirst: false) == Array("e".utf8))
        for _ in 0..<2 { #expect(try await pipe.next(isFirst: false) == nil) }
        pipe.close()
    }

    @Test func aReaderWaitsForSomebodySlow() async throws {
        let pipe = try OutputPipe()
        async let first = pipe.next(isFirst: true)
        put("late", into: pipe)
        var piece = try await first
        // A second without output gives an empty piece.
        while piece == [] { piece = try await pipe.next(isFirst: true) }
        #expect(piece == Array("late".utf8))
        close(pipe.writeEnd.rawValue)
        pipe.close()
    }

    @Test func commandsAreNotHeldUpByWhatTheyDoNotRead() async throws {
        let repository = try TestRepository()
        let lines = (1...200_000).map { "line \($0)\n" }.joined()
        try repository.commit("first", ["a": lines])
        let engine = try GitEngine()
        let opened = try await repository.open(engine)
        let commit = try repository.head()
        // More than the pipe holds, read to its end and broken off.
        let pattern = CodePattern(text: "line", maximumMatchCount: 1_000_000)
        var count = 0
        for wanted in [true, false] {
            let isWhole = try await engine.search(CodeQuery(commit: commit, pattern: pattern), in: opened) { files in
                count += files.count
                return wanted
            }
            #expect(isWhole == wanted)
        }
        #expect(count == 2)
        await engine.shutDown()
    }
}
