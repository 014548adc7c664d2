/// The path of an HTTP rule, such as `/v1/repositories/{repository_id}/files/{path=**}`.
///
/// ```
/// template = "/" segments [ ":" verb ]
/// segments = segment { "/" segment }
/// segment  = "*" | "**" | literal | "{" field { "." field } [ "=" segments ] "}"
/// ```
///
/// `*` is one segment, `**` all that are left, at least one; it stands at the end. A variable without a pattern is `*`.
/// Segments of a request are percent-decoded one by one, so that `%2F` is a slash of a name and no border.
/// Source: the path template syntax of google.api.http.
struct PathTemplate: Sendable, Equatable {
    enum Segment: Sendable, Equatable {
        case literal([UInt8])
        case one
        case rest
    }

    /// A field of the request, and the segments that hold its value.
    struct Variable: Sendable, Equatable {
        /// As in the .proto file, with dots for nested messages.
        let name: String
        let segments: Range<Int>
    }

    let text: String
    let segments: [Segment]
    let variables: [Variable]
    /// What stands behind the last segment's colon; empty for nothing.
    let verb: [UInt8]

    /// - Throws: ``RESTError`` for a text that is no template.
    init(_ text: String) throws(RESTError) {
        guard text.hasPrefix("/") else { throw RESTError("\"\(text)\" does not begin with a slash") }
        var path = text.dropFirst()
        var verb = Substring()
        // A colon inside braces would be part of a pattern.
        if let colon = path.lastIndex(of: ":"), !path[colon...].contains(where: { "/}".contains($0) }) {
            verb = path[path.index(after: colon)...]
            path = path[..<colon]
            guard !verb.isEmpty, verb.allSatisfy(Self.isLiteral) else {
                throw RESTError("\"\(text)\": \":\(verb)\" is no verb")
            }
        }
        var segments: [Segment] = []
        var variables: [Variable] = []
        for part in try Self.parts(path, of: text) {
            guard part.hasPrefix("{") else {
                segments.append(try Self.segment(part, of: text))
                continue
            }
            let words = part.dropFirst().dropLast().split(
                separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(words.first ?? "")
            guard name.split(separator: ".", omittingEmptySubsequences: false).allSatisfy(Self.isName) else {
                throw RESTError("\"\(text)\": \"\(name)\" is no field")
            }
            let start = segments.count
            for inner in (words.count == 2 ? words[1] : "*").split(separator: "/", omittingEmptySubsequences: false) {
                segments.append(try Self.segment(inner, of: text))
            }
            variables.append(Variable(name: name, segments: start..<segments.count))
        }
        guard !segments.dropLast().contains(.rest) else { throw RESTError("\"\(text)\": ** stands at the end") }
        self.text = text
        self.segments = segments
        self.variables = variables
        self.verb = Array(verb.utf8)
    }

    /// Cut at the slashes outside braces.
    private static func parts(_ path: Substring, of text: String) throws(RESTError) -> [Substring] {
        var parts: [Substring] = []
        var start = path.startIndex
        var isInside = false
        for index in path.indices {
            switch path[index] {
            case "{":
                guard !isInside, index == start else {
                    throw RESTError("\"\(text)\": a brace stands in the wrong place")
                }
                isInside = true
            case "}":
                let next = path.index(after: index)
                guard isInside, next == path.endIndex || path[next] == "/" else {
                    throw RESTError("\"\(text)\": a brace stands in the wrong place")
                }
                isInside = false
            case "/" where !isInside:
                parts.append(path[start..<index])
                start = path.index(after: index)
            default: continue
            }
        }
        guard !isInside else { throw RESTError("\"\(text)\": a brace is not closed") }
        return parts + [path[start...]]
    }

    private static func segment(_ part: Substring, of text: String) throws(RESTError) -> Segment {
        switch part {
        case "*": return .one
        case "**": return .rest
        default:
            guard !part.isEmpty, part.allSatisfy(isLiteral) else {
                throw RESTError("\"\(text)\": \"\(part)\" is no segment")
            }
            return .literal(Array(part.utf8))
        }
    }

    private static func isLiteral(_ character: Character) -> Bool {
        character.isASCII && (character.isLetter || character.isNumber || "-._~".contains(character))
    }

    private static func isName(_ word: Substring) -> Bool {
        !word.isEmpty && word.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_") }
    }

    /// The values of the variables, decoded; nil when the path is not of this template.
    ///
    /// - Parameter path: path of a request, without its query.
    func match(_ path: UnsafeRawBufferPointer) -> [(name: String, value: [UInt8])]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        var path = path.dropFirst()
        if !verb.isEmpty {
            let ending = [UInt8(ascii: ":")] + verb
            guard path.count > ending.count, path.suffix(ending.count).elementsEqual(ending) else { return nil }
            path = path.dropLast(ending.count)
        }
        let parts = path.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard segments.last == .rest ? parts.count >= segments.count : parts.count == segments.count else { return nil }
        var decoded: [[UInt8]] = []
        for (index, segment) in segments.enumerated() {
            switch segment {
            case .literal(let bytes):
                guard parts[index].elementsEqual(bytes) else { return nil }
                decoded.append(bytes)
            case .one:
                guard !parts[index].isEmpty, let value = Self.decode(parts[index]) else { return nil }
                decoded.append(value)
            case .rest:
                let values = parts[index...].compactMap(Self.decode)
                let value = Array(values.joined(separator: [UInt8(ascii: "/")]))
                guard values.count == parts.count - index, !value.isEmpty else { return nil }
                decoded.append(value)
            }
        }
        return variables.map { ($0.name, Array(decoded[$0.segments].joined(separator: [UInt8(ascii: "/")]))) }
    }

    /// The more is fixed, the earlier it is tried: verbs, then literal segments before `*`, then `**`.
    func isTried(before other: PathTemplate) -> Bool {
        if verb.isEmpty != other.verb.isEmpty { return !verb.isEmpty }
        for (mine, its) in zip(segments, other.segments) where mine.rank != its.rank { return mine.rank < its.rank }
        return segments.count > other.segments.count
    }

    /// Whether both fit the same paths, whatever their variables are called.
    func hasShape(of other: PathTemplate) -> Bool {
        segments == other.segments && verb == other.verb
    }

    /// nil for a broken escape. Unlike in a query, `+` is a plus.
    private static func decode(_ segment: Slice<UnsafeRawBufferPointer>) -> [UInt8]? {
        var escaped: [UInt8] = []
        for byte in segment {
            if byte == UInt8(ascii: "+") { escaped += Array("%2B".utf8) } else { escaped.append(byte) }
        }
        return ConnectQuery.unescape(escaped)
    }
}

extension PathTemplate.Segment {
    fileprivate var rank: Int {
        switch self {
        case .literal: 0
        case .one: 1
        case .rest: 2
        }
    }
}

/// A contract whose HTTP rules cannot be served.
public struct RESTError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = "HTTP rule " + description
    }
}
