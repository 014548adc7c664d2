import Foundation
import Testing

/// Replays what the fuzzers have found, and what they once failed on.
@Suite(.timeLimit(.minutes(5))) struct FuzzCorpusTests {
    private static let folder = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Fuzz")

    @Test(arguments: HTTPFuzzChecks.all.map(\.name))
    func `corpus and past failures`(_ name: String) throws {
        let check = try #require(HTTPFuzzChecks.all.first { $0.name == name }?.check)
        for kind in ["Corpus", "Failures"] {
            let folder = Self.folder.appendingPathComponent(kind).appendingPathComponent(name)
            let files =
                (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
            for file in files {
                let bytes = [UInt8](try Data(contentsOf: file))
                #expect(bytes.withUnsafeBytes { check($0) } == nil, "\(file.lastPathComponent)")
            }
        }
    }
}
