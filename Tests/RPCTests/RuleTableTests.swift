import Foundation
import Testing

/// `docs/protocol.md` has a row for every rule, and every row names files that hold a test of that rule.
@Suite(.timeLimit(.minutes(5))) struct RuleTableTests {
    private static let root = URL(fileURLWithPath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let labels: [String] =
        numbered("P", 13) + numbered("W", 20) + numbered("M", 12) + numbered("T", 9) + numbered("S", 11)
        + ["H2a", "H2b", "H2c", "H2d", "H2e", "H2f", "H2g"] + numbered("O", 6) + numbered("C", 6) + ["Connect"]

    private static func numbered(_ letter: String, _ count: Int) -> [String] { (1...count).map { "\(letter)\($0)" } }

    /// Label -> the files of its row `| P1 | what is done | FileTests, OtherTests |`.
    private static func table() throws -> [String: [String]] {
        let text = try String(contentsOf: root.appendingPathComponent("docs/protocol.md"), encoding: .utf8)
        var rows: [String: [String]] = [:]
        for line in text.split(separator: "\n") where line.hasPrefix("| ") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, labels.contains(cells[0]) else { continue }
            rows[cells[0]] = cells[2].split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
        }
        return rows
    }

    /// Labels at the beginning of test names (`"P1, P9: ..."` or `` `H2b ...` ``) by file name without extension.
    private static func tests() throws -> [String: Set<String>] {
        let name = #/["`]((?:(?:H2[a-g]|[PWMTSOC][0-9]{1,2}|Connect)(?:, )?)+)[: ]/#
        var found: [String: Set<String>] = [:]
        let files = FileManager.default.enumerator(
            at: root.appendingPathComponent("Tests"), includingPropertiesForKeys: nil)
        while let file = files?.nextObject() as? URL {
            guard file.pathExtension == "swift", let text = try? String(contentsOf: file, encoding: .utf8) else {
                continue
            }
            for match in text.matches(of: name) {
                let labels = match.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
                found[file.deletingPathExtension().lastPathComponent, default: []].formUnion(labels)
            }
        }
        return found
    }

    @Test("every rule has a row, and every row a test", arguments: labels)
    func row(label: String) throws {
        let files = try #require(try Self.table()[label], "docs/protocol.md has no row for \(label)")
        #expect(!files.isEmpty)
        let tests = try Self.tests()
        for file in files { #expect(tests[file]?.contains(label) == true, "\(file) has no test named after \(label)") }
    }
}
