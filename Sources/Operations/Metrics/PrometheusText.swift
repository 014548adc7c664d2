/// Writes metrics as text: the Prometheus exposition format 0.0.4, or OpenMetrics 1.0.
///
/// The two differ in what a counter's `TYPE` line names (`x_total` against `x`) and in the last line (`# EOF`).
public struct PrometheusText: Sendable {
    enum Format: Sendable {
        case prometheus, openMetrics

        var contentType: String {
            switch self {
            case .prometheus: "text/plain; version=0.0.4; charset=utf-8"
            case .openMetrics: "application/openmetrics-text; version=1.0.0; charset=utf-8"
            }
        }
    }

    public enum Kind: String, Sendable { case counter, gauge, histogram }

    public typealias Labels = [(name: String, value: String)]

    let format: Format
    private(set) var bytes: [UInt8] = []

    init(_ format: Format) {
        self.format = format
    }

    /// Begins a family. A counter's name is given without `_total`.
    public mutating func family(_ name: String, _ kind: Kind, _ help: String) {
        let shown = kind == .counter && format == .prometheus ? name + "_total" : name
        // OpenMetrics escapes quotes in help texts too; the older format does not know that escape.
        line("# HELP \(shown) \(Self.escaped(help, quotes: format == .openMetrics))")
        line("# TYPE \(shown) \(kind.rawValue)")
    }

    /// One value of the family. A counter's name ends in `_total`.
    public mutating func sample(_ name: String, _ labels: Labels = [], _ value: Int) {
        line("\(name)\(Self.text(labels)) \(value)")
    }

    /// A histogram's samples. `counts` has one entry more than `bounds`: what is above all.
    public mutating func histogram(_ name: String, _ labels: Labels, bounds: [Duration], counts: [Int], sum: Duration) {
        var total = 0
        for (bound, count) in zip(bounds, counts) {
            total &+= count
            sample("\(name)_bucket", labels + [("le", Self.seconds(bound))], total)
        }
        total &+= counts.last ?? 0
        sample("\(name)_bucket", labels + [("le", "+Inf")], total)
        line("\(name)_sum\(Self.text(labels)) \(Self.seconds(sum))")
        sample("\(name)_count", labels, total)
    }

    /// The whole text.
    consuming func finish() -> [UInt8] {
        if format == .openMetrics { line("# EOF") }
        return bytes
    }

    private mutating func line(_ text: String) {
        bytes += text.utf8
        bytes.append(UInt8(ascii: "\n"))
    }

    private static func text(_ labels: Labels) -> String {
        guard !labels.isEmpty else { return "" }
        let parts = labels.map { "\($0.name)=\"\(escaped($0.value, quotes: true))\"" }
        return "{\(parts.joined(separator: ","))}"
    }

    /// `\` as `\\`, line feed as `\n`, and `"` as `\"` where asked.
    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\"" where quotes: result += "\\\""
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Decimal seconds without an exponent: `0.0001`, `2.5`, `30.0`.
    static func seconds(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        var fraction = String(attoseconds / 1_000_000_000)
        fraction = String(repeating: "0", count: max(0, 9 - fraction.count)) + fraction
        while fraction.count > 1, fraction.hasSuffix("0") { fraction.removeLast() }
        return "\(seconds).\(fraction)"
    }
}
