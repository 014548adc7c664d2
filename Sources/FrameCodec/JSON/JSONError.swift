/// Why JSON could not be read as a message, or a message not be written as JSON.
///
/// The text never quotes a value, only names, so that secrets stay out of logs.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    /// What is wrong.
    public let problem: String
    /// Where, such as `repositories[3].id`; empty for the whole document.
    public let path: String
    /// Position in the JSON text in bytes; nil when writing.
    public let offset: Int?

    public var description: String {
        let place = path.isEmpty ? "JSON" : "JSON at \(path)"
        return offset.map { "\(place), byte \($0): \(problem)" } ?? "\(place): \(problem)"
    }
}

/// A ``JSONError`` on its way up to where the path is known.
struct JSONFault: Error {
    let problem: String
    let offset: Int?

    init(_ problem: String, at offset: Int? = nil) {
        self.problem = problem
        self.offset = offset
    }

    /// A name from the input, cut to a length that fits an error message.
    static func quoted(_ name: String) -> String {
        name.count > 64 ? "'\(name.prefix(64))...'" : "'\(name)'"
    }
}

/// Names and indices from the document to the value at hand.
struct JSONPath {
    enum Step {
        case member(String)
        case element(Int)
    }

    var steps: [Step] = []

    var text: String {
        steps.reduce(into: "") { text, step in
            switch step {
            case .member(let name): text += text.isEmpty ? name : ".\(name)"
            case .element(let index): text += "[\(index)]"
            }
        }
    }
}
