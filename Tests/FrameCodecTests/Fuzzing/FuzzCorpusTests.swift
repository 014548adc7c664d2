import Foundation
import Testing

/// Replays what the fuzzers have found, and what they once failed on.
@Suite struct FuzzCorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()
        .appendingPathComponent("Fuzz")

    @Test("corpus and past failures", arguments: FuzzChecks.all.map(\.name))
    func replay(_ name: String) throws {
        let check = try #require(FuzzChecks.all.first { $0.name == name }?.check)
        for kind in ["Corpus", "Failures"] {
            let folder = Self.folder.appendingPathComponent(kind).appendingPathComponent(name)
            let files =
                (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil))
                ?? []
            for file in files {
                let bytes = [UInt8](try Data(contentsOf: file))
                #expect(bytes.withUnsafeBytes { check($0) } == nil, "\(file.lastPathComponent)")
            }
        }
    }
}
