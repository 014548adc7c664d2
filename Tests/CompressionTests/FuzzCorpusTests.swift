import Foundation
import Testing

/// Replays what the fuzzer has found, and what it once failed on.
@Suite struct FuzzCorpusTests {
    @Test("corpus and past failures", arguments: ["Corpus", "Failures"])
    func replay(kind: String) throws {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("Fuzz/\(kind)/Decompression")
        let files = (try? FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)) ?? []
        for file in files {
            let bytes = [UInt8](try Data(contentsOf: file))
            #expect(bytes.withUnsafeBytes { CompressionChecks.decompression($0) } == nil, "\(file.lastPathComponent)")
        }
    }
}
