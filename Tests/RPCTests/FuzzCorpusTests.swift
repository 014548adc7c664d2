import Foundation
import Testing

/// Replays what the fuzzers have found, and what they once failed on.
@Suite(.timeLimit(.minutes(5))) struct FuzzCorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fuzz")

    @Test(arguments: ["Corpus", "Failures"])
    func `corpus and past failures of Metadata`(_ kind: String) throws {
        let folder = Self.folder.appendingPathComponent(kind).appendingPathComponent("Metadata")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            #expect(bytes.withUnsafeBytes { MetadataCheck.run($0) } == nil, "\(file.lastPathComponent)")
        }
    }
}
