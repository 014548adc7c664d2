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

extension JSONError {
    init(_ fault: JSONFault) {
        self.init(problem: fault.problem, path: fault.path, offset: fault.offset)
    }
}

/// A ``JSONError`` on its way up: each level that it leaves adds where it was, so that no path is kept while all
/// goes well.
struct JSONFault: Error {
    enum Step {
        case member(String)
        case element(Int)
    }

    let problem: String
    let offset: Int?
    /// Innermost first.
    private var steps: [Step] = []

    init(_ problem: String, at offset: Int? = nil) {
        self.problem = problem
        self.offset = offset
    }

    func inside(_ step: Step) -> JSONFault {
        var fault = self
        fault.steps.append(step)
        return fault
    }

    /// The fault of a field that is marked `debug_redact`, or of something in it: names of map members, enum
    /// values and types are parts of the field's value.
    var redacted: JSONFault {
        JSONFault("the value is not one that the field takes; it is redacted", at: offset)
    }

    var path: String {
        steps.reversed().reduce(into: "") { text, step in
            switch step {
            case .member(let name): text += text.isEmpty ? name : ".\(name)"
            case .element(let index): text += "[\(index)]"
            }
        }
    }

    /// A name from the input, cut to a length that fits an error message.
    static func quoted(_ name: String) -> String {
        name.count > 64 ? "'\(name.prefix(64))...'" : "'\(name)'"
    }
}
