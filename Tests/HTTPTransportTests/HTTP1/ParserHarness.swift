@testable import HTTPTransport

/// What the parser found, as values that can be compared.
enum Parsed: Equatable {
    case request(String)
    case response(Int)
    case body([UInt8])
    case end
    case error(Int)
}

enum ParserHarness {
    /// Feeds `input` in pieces of `step` bytes; goes on to the next message after each end.
    static func parse(
        _ input: [UInt8], kind: HTTP1Parser.Kind = .request, step: Int = .max,
        limits: HTTPLimits = HTTPLimits(),
        answersHEAD: Bool = false
    ) -> [Parsed] {
        var pieces: [[UInt8]] = []
        var index = 0
        while index < input.count {
            let end = step >= input.count - index ? input.count : index + step
            pieces.append(Array(input[index..<end]))
            index = end
        }
        return parse(pieces: pieces, kind: kind, limits: limits, answersHEAD: answersHEAD)
    }

    static func parse(
        pieces: [[UInt8]], kind: HTTP1Parser.Kind = .request, limits: HTTPLimits = HTTPLimits(),
        answersHEAD: Bool = false
    ) -> [Parsed] {
        var parser = HTTP1Parser(kind, limits: limits)
        parser.answersHEAD = answersHEAD
        var unread: [UInt8] = []
        var found: [Parsed] = []
        for piece in pieces {
            unread += piece
            while true {
                var consumed = 0
                let event: HTTP1Event?
                do {
                    event = try unread.withUnsafeBytes { bytes throws(HTTP1Error) in
                        try parser.next(bytes, consumed: &consumed)
                    }
                } catch {
                    return found + [.error((error as? HTTP1Error)?.status ?? 0)]
                }
                if let event { append(event, unread, to: &found) }
                unread.removeFirst(consumed)
                guard let event else { break }
                if case .end = event { parser.startNextMessage() }
            }
        }
        return found
    }

    private static func append(_ event: HTTP1Event, _ unread: [UInt8], to found: inout [Parsed]) {
        switch event {
        case .head(let head):
            switch head.start {
            case .request(let request):
                found.append(
                    .request(
                        "\(request.method) \(request.path) \(request.authority ?? "-") \(head.keepsAlive)"))
            case .response(let response): found.append(.response(response.status))
            }
        case .body(let range):
            if case .body(let before)? = found.last {
                found[found.count - 1] = .body(before + unread[range])
            } else {
                found.append(.body(Array(unread[range])))
            }
        case .end: found.append(.end)
        }
    }
}
