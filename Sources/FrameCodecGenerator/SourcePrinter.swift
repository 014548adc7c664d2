/// Collects lines of Swift with their indentation.
struct SourcePrinter {
    static let maximumColumns = 115

    private(set) var text = ""
    private var depth = 0

    mutating func line(_ line: String = "") {
        text += line.isEmpty ? "\n" : String(repeating: "    ", count: depth) + line + "\n"
    }

    /// `head {`, the body one level deeper, `}`.
    mutating func block(
        _ head: String, close: String = "}", _ body: (inout SourcePrinter) throws(GeneratorError) -> Void
    ) throws(GeneratorError) {
        line(head)
        try indented(body)
        line(close)
    }

    mutating func indented(
        _ body: (inout SourcePrinter) throws(GeneratorError) -> Void
    ) throws(GeneratorError) {
        depth += 1
        try body(&self)
        depth -= 1
    }

    /// `head`items`tail` on one line when it fits, else the items filled into lines of their own.
    mutating func list(_ head: String, _ items: [String], _ tail: String) {
        let oneLine = head + items.joined(separator: ", ") + tail
        guard !fits(oneLine) else { return line(oneLine) }
        line(head)
        depth += 1
        var current = ""
        for (index, item) in items.enumerated() {
            let piece = index + 1 < items.count ? item + "," : item
            if !current.isEmpty, !fits(current + " " + piece) {
                line(current)
                current = ""
            }
            current += current.isEmpty ? piece : " " + piece
        }
        line(current)
        depth -= 1
        line(tail)
    }

    /// `head { body }` on one line when it fits, else on three.
    mutating func statement(_ head: String, _ body: String) {
        guard !fits("\(head) { \(body) }") else { return line("\(head) { \(body) }") }
        line(head + " {")
        depth += 1
        line(body)
        depth -= 1
        line("}")
    }

    func fits(_ line: String) -> Bool { depth * 4 + line.count <= Self.maximumColumns }

    /// A documentation comment; nothing for an empty one.
    mutating func documentation(_ comment: String) {
        guard !comment.isEmpty else { return }
        for part in comment.split(separator: "\n", omittingEmptySubsequences: false) {
            line(part.isEmpty ? "///" : "/// \(part)")
        }
    }
}
