import ArgumentParser
import Foundation

struct OutputOptions: ParsableArguments {
    @Flag(help: "Print one JSON object for each row.")
    var json = false
}

/// Rows for a person (columns) or for a program (one JSON object each).
struct Table {
    let columns: [String]
    var rows: [[Value]] = []

    enum Value {
        case text(String)
        case integer(Int64)
        case none
    }

    func show(_ options: OutputOptions) throws {
        if options.json { return try showJSON() }
        let lines = [columns] + rows.map { $0.map(\.shown) }
        let widths = columns.indices.map { column in lines.map { $0[column].count }.max() ?? 0 }
        for line in lines {
            let cells = zip(line, widths).map { text, width in text + String(repeating: " ", count: width - text.count)
            }
            StandardOutput.line(cells.joined(separator: "  ").trimmingCharacters(in: .whitespaces))
        }
    }

    private func showJSON() throws {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for row in rows {
            let object = Dictionary(uniqueKeysWithValues: zip(columns, row))
            StandardOutput.line(String(decoding: try encoder.encode(object), as: UTF8.self))
        }
    }
}

extension Table.Value: Encodable {
    fileprivate var shown: String {
        switch self {
        case .text(let text): text
        case .integer(let integer): String(integer)
        case .none: "-"
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .text(let text): try container.encode(text)
        case .integer(let integer): try container.encode(integer)
        case .none: try container.encodeNil()
        }
    }

    /// Milliseconds since 1970 as RFC 3339, UTC.
    static func time(_ milliseconds: Int64?) -> Table.Value {
        guard let milliseconds else { return .none }
        return .text(Date(timeIntervalSince1970: Double(milliseconds) / 1000).formatted(.iso8601))
    }
}
