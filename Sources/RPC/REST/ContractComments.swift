import FrameCodec

/// The comments of a contract, by the full name of what they belong to.
///
/// Made by protoc-gen-framecodec with `output=comments`:
///
/// ```
/// @package.Service.Method
///  What it does. NOT_FOUND when there is none.
///  Example: {"id": 1}
/// ```
public struct ContractComments: Sendable {
    private var texts: [Substring: [Substring]] = [:]

    /// - Parameter text: as the generator wrote it; empty for a contract without comments.
    public init(_ text: String = "") {
        var name: Substring = ""
        for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
            if line.hasPrefix("@") {
                name = line.dropFirst()
            } else {
                texts[name, default: []].append(line.dropFirst())
            }
        }
    }

    /// What the comment says, without its example; empty when there is none.
    func text(_ name: String) -> String {
        (texts[name[...]] ?? []).prefix { !$0.hasPrefix(Self.example) }.joined(separator: "\n")
    }

    /// The first sentence of a comment.
    func summary(_ name: String) -> String {
        let words = text(name).split(whereSeparator: \.isWhitespace)
        guard let end = words.firstIndex(where: { $0.hasSuffix(".") || $0.hasSuffix(":") || $0.hasSuffix(";") }) else {
            return words.joined(separator: " ")
        }
        return String(words[...end].joined(separator: " ").dropLast())
    }

    /// The request in the example of a method's comment, as JSON; nil without one.
    public func example(_ method: String) -> String? {
        let lines = (texts[method[...]] ?? []).drop { !$0.hasPrefix(Self.example) }
        guard let first = lines.first else { return nil }
        return ([first.dropFirst(Self.example.count)] + lines.dropFirst()).joined(separator: " ")
    }

    private static let example = "Example: "

    /// Status codes that a method's comment names.
    func statuses(_ method: String) -> [StatusCode] {
        let words = Set(text(method).split { !($0.isLetter || $0 == "_") }.map(String.init))
        return StatusCode.known.filter { words.contains("\($0)") }
    }
}

extension StatusCode {
    /// Those that can be an answer's, in the order of their numbers.
    fileprivate static let known: [StatusCode] = (1...16).map { StatusCode(rawValue: $0) }
}
