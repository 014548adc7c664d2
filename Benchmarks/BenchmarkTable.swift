/// Results as a table for people and as lines of JSON for machines.
enum BenchmarkTable {
    static func text(_ results: [BenchmarkResult]) -> String {
        let rows = [["benchmark", "ns/op", "MB/s", "x memcpy"]] + results.map(row)
        let widths = (0..<4).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            zip(row, widths).enumerated().map { index, cell in
                let padding = String(repeating: " ", count: cell.1 - cell.0.count)
                return index == 0 ? cell.0 + padding : padding + cell.0
            }.joined(separator: "  ")
        }.joined(separator: "\n")
    }

    private static func row(_ result: BenchmarkResult) -> [String] {
        [
            result.name,
            rounded(result.nanosecondsPerOperation),
            result.bytesPerSecond.map { rounded($0 / 1_000_000) } ?? "-",
            result.ratioToMemcpy.map(rounded) ?? "-",
        ]
    }

    static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }

    static func rounded(_ value: Double) -> String {
        guard value.isFinite else { return "-" }
        let digits = value < 10 ? 100.0 : value < 1000 ? 10.0 : 1.0
        let text = "\((value * digits).rounded() / digits)"
        return text.hasSuffix(".0") ? String(text.dropLast(2)) : text
    }
}

extension BenchmarkResult {
    var jsonLine: String {
        var parts = ["\"name\":\"\(name)\"", "\"nanosecondsPerOperation\":\(nanosecondsPerOperation)"]
        if let bytesPerSecond { parts.append("\"bytesPerSecond\":\(bytesPerSecond)") }
        if let ratioToMemcpy { parts.append("\"ratioToMemcpy\":\(ratioToMemcpy)") }
        return "{" + parts.joined(separator: ",") + "}"
    }
}
