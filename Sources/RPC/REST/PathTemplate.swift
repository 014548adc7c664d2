/// The path of an HTTP rule, such as `/v1/repositories/{repository_id}/files/{path=**}`.
///
/// A variable is one segment, or with `=**`, at the end, all that are left. Segments are percent-decoded one by one, so
/// that `%2F` is a slash of a name and no border. Source: the google.api HTTP rule syntax; of it everything but
/// `{name=fixed/*}` and verbs after a colon.
struct PathTemplate: Sendable, Equatable {
    enum Segment: Sendable, Equatable {
        case literal([UInt8])
        case variable(String)
        case rest(String)
    }

    let text: String
    let segments: [Segment]

    /// - Throws: ``RESTError`` for what is not supported.
    init(_ text: String) throws(RESTError) {
        guard text.hasPrefix("/") else { throw RESTError("\"\(text)\" does not begin with a slash") }
        var segments: [Segment] = []
        let parts = text.dropFirst().split(separator: "/", omittingEmptySubsequences: false)
        for (index, part) in parts.enumerated() {
            guard part.hasPrefix("{") else {
                guard !part.isEmpty, !part.contains(where: { "{}*:?".contains($0) }) else {
                    throw RESTError("\"\(text)\": the segment \"\(part)\" is not supported")
                }
                segments.append(.literal(Array(part.utf8)))
                continue
            }
            guard part.hasSuffix("}") else { throw RESTError("\"\(text)\": the segment \"\(part)\" is not supported") }
            let words = part.dropFirst().dropLast().split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            let name = String(words.first ?? "")
            switch words.count == 2 ? words[1] : "*" {
            case "*" where !name.isEmpty: segments.append(.variable(name))
            case "**" where !name.isEmpty && index == parts.count - 1: segments.append(.rest(name))
            default: throw RESTError("\"\(text)\": the segment \"\(part)\" is not supported")
            }
        }
        self.text = text
        self.segments = segments
    }

    /// The values of the variables by name, decoded; nil when the path is not of this template.
    ///
    /// - Parameter path: path of a request, without its query.
    func match(_ path: UnsafeRawBufferPointer) -> [(name: String, value: [UInt8])]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        let parts = path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        var values: [(name: String, value: [UInt8])] = []
        for (index, segment) in segments.enumerated() {
            guard index < parts.count else { return nil }
            switch segment {
            case .literal(let bytes):
                guard parts[index].elementsEqual(bytes) else { return nil }
            case .variable(let name):
                guard !parts[index].isEmpty, let value = Self.decode(parts[index]) else { return nil }
                values.append((name, value))
            case .rest(let name):
                let decoded = parts[index...].compactMap(Self.decode)
                let value = Array(decoded.joined(separator: [UInt8(ascii: "/")]))
                guard decoded.count == parts.count - index, !value.isEmpty else { return nil }
                values.append((name, value))
                return values
            }
        }
        return parts.count == segments.count ? values : nil
    }

    /// Literal segments before variables, those before the rest: the more is fixed, the earlier it is tried.
    func isTried(before other: PathTemplate) -> Bool {
        for (mine, its) in zip(segments, other.segments) where mine.rank != its.rank { return mine.rank < its.rank }
        return segments.count > other.segments.count
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
        case .variable: 1
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
