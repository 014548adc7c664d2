import NIOCore

@testable import HTTPTransport

/// Messages come out the same however the bytes arrive, and a request that was understood, written again by the
/// client's writer, is understood as the same request: two readers cannot disagree on where it ends.
enum HTTP1Check {
    enum Found: Equatable {
        case head(String, HTTPFields, HTTP1BodyLength)
        case body([UInt8])
        case end
        case error(Int)
    }

    static func run(_ bytes: UnsafeRawBufferPointer, _ kind: HTTP1Parser.Kind) -> String? {
        var limits = HTTPLimits()
        limits.headerListByteCount = 600
        limits.headerFieldCount = 6
        limits.requestLineByteCount = 200
        limits.chunkExtensionByteCount = 20
        do {
            let whole = try parse(bytes, step: max(bytes.count, 1), kind, limits)
            guard try parse(bytes, step: 1, kind, limits) == whole else { return "messages depend on how bytes arrive" }
            guard try parse(bytes, step: 7, kind, limits) == whole else { return "messages depend on how bytes arrive" }
        } catch {
            return error.text
        }
        return nil
    }

    struct Problem: Error { let text: String }

    private static func parse(
        _ bytes: UnsafeRawBufferPointer, step: Int, _ kind: HTTP1Parser.Kind, _ limits: HTTPLimits
    ) throws(Problem) -> [Found] {
        var parser = HTTP1Parser(kind, limits: limits)
        var found: [Found] = []
        var start = 0
        var end = 0
        while end < bytes.count {
            end = min(end + step, bytes.count)
            while true {
                let unread = UnsafeRawBufferPointer(rebasing: bytes[start..<end])
                var consumed = 0
                let event: HTTP1Event?
                do {
                    event = try parser.next(unread, consumed: &consumed)
                } catch {
                    return found + [.error(error.status)]
                }
                guard (0...unread.count).contains(consumed) else { throw Problem(text: "consumed more than there is") }
                if let event { try take(event, unread, &found, limits) }
                start += consumed
                guard let event else { break }
                if case .end = event { parser.startNextMessage() }
            }
        }
        return found
    }

    private static func take(
        _ event: HTTP1Event, _ unread: UnsafeRawBufferPointer, _ found: inout [Found], _ limits: HTTPLimits
    ) throws(Problem) {
        switch event {
        case .head(let head):
            switch head.start {
            case .request(let request):
                let name = "\(request.method) \(request.path) \(request.authority ?? "-") \(head.keepsAlive)"
                found.append(.head(name, request.fields, head.bodyLength))
                if let problem = rewritten(request, head) { throw Problem(text: problem) }
            case .response(let response):
                found.append(.head("\(response.status) \(head.keepsAlive)", response.fields, head.bodyLength))
            }
        case .body(let range):
            guard !range.isEmpty, range.upperBound <= unread.count else {
                throw Problem(text: "a body piece out of range")
            }
            if case .body(let before)? = found.last {
                found[found.count - 1] = .body(before + unread[range])
            } else {
                found.append(.body(Array(unread[range])))
            }
        case .end: found.append(.end)
        }
    }

    private static func rewritten(_ request: HTTPRequestHead, _ head: HTTP1Head) -> String? {
        let framing: HTTP1Writer.Framing =
            switch head.bodyLength {
            case .chunked: .chunked
            case .bytes(let count): .contentLength(Int(clamping: count))
            case .none, .untilClose: .none
            }
        var output = ByteBuffer()
        HTTP1Writer.writeRequest(request, authority: "x", framing: framing, into: &output)
        var parser = HTTP1Parser(.request, limits: HTTPLimits())
        var consumed = 0
        let event = try? output.withUnsafeReadableBytes { bytes throws(HTTP1Error) in
            try parser.next(bytes, consumed: &consumed)
        }
        guard case .head(let again)? = event, case .request(let other) = again.start else {
            return "a request that was understood cannot be written and read again"
        }
        guard consumed == output.readableBytes else { return "bytes are left after the head that was written" }
        guard other.method == request.method, other.path == request.path, again.bodyLength == head.bodyLength,
            request.authority == nil || other.authority == request.authority
        else { return "a request changes when it is written and read again" }
        return endToEnd(other.fields) == endToEnd(request.fields) ? nil : "fields change when they are written"
    }

    /// Without what the writer leaves out or makes itself.
    private static func endToEnd(_ fields: HTTPFields) -> [String] {
        var lines: [String] = []
        fields.forEachEntry { token, name, value in
            switch token {
            case .connection, .keepAlive, .transferEncoding, .contentLength, .host, .upgrade, .proxyConnection: break
            default: lines.append("\(Array(name)): \(Array(value))")
            }
        }
        return lines
    }
}
