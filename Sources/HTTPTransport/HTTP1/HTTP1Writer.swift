import NIOCore

/// Writes HTTP/1.1 heads and chunks.
enum HTTP1Writer {
    /// How the length of an outgoing body is told.
    enum Framing: Equatable {
        case none
        case contentLength(Int)
        case chunked
        case untilClose
    }

    static let lastChunk: StaticString = "0\r\n\r\n"
    static let continueHead: StaticString = "HTTP/1.1 100 Continue\r\n\r\n"

    static func writeResponse(
        _ head: HTTPResponseHead, framing: Framing, keepsAlive: Bool, version: HTTPVersion,
        into output: inout ByteBuffer
    ) {
        output.writeStaticString("HTTP/1.1 ")
        output.writeBytes(StatusDigits.bytes(head.status))
        output.writeStaticString(" ")
        output.writeStaticString(reason(head.status))
        output.writeStaticString("\r\n")
        writeFields(head.fields, into: &output)
        writeFraming(framing, into: &output)
        if !keepsAlive {
            output.writeStaticString("connection: close\r\n")
        } else if version == .http1_0 {
            output.writeStaticString("connection: keep-alive\r\n")
        }
        output.writeStaticString("\r\n")
    }

    static func writeRequest(
        _ head: HTTPRequestHead, authority: String, framing: Framing, into output: inout ByteBuffer
    ) {
        head.method.withBytes { _ = output.writeBytes($0) }
        output.writeStaticString(" ")
        head.withPath { _ = output.writeBytes($0) }
        output.writeStaticString(" HTTP/1.1\r\nhost: ")
        if head.target.withAuthority({ output.writeBytes($0) }) == nil { output.writeString(authority) }
        output.writeStaticString("\r\n")
        writeFields(head.fields, into: &output)
        writeFraming(framing, into: &output)
        output.writeStaticString("\r\n")
    }

    /// `size CRLF`; the data and another CRLF follow.
    static func writeChunkHead(_ size: Int, into output: inout ByteBuffer) {
        var digits: [16 of UInt8] = .init(repeating: 0)
        var index = 16
        var rest = UInt64(max(size, 0))
        repeat {
            index -= 1
            let nibble = UInt8(rest & 0xF)
            digits[index] = nibble < 10 ? 0x30 + nibble : 0x61 + nibble - 10
            rest >>= 4
        } while rest > 0
        while index < 16 {
            output.writeInteger(digits[index])
            index += 1
        }
        output.writeStaticString("\r\n")
    }

    static func writeTrailers(_ trailers: HTTPFields, into output: inout ByteBuffer) {
        output.writeStaticString("0\r\n")
        writeFields(trailers, into: &output)
        output.writeStaticString("\r\n")
    }

    /// Framing and connection fields are this writer's business; those of the caller are left out. Names that
    /// are no tokens cannot be sent; values cannot hold line breaks (``HTTPFields`` sees to that).
    private static func writeFields(_ fields: HTTPFields, into output: inout ByteBuffer) {
        fields.forEachEntry { token, name, value in
            switch token {
            case .connection, .keepAlive, .transferEncoding, .contentLength, .host, .upgrade,
                .proxyConnection:
                return
            case .other: guard !name.isEmpty, name.allSatisfy(ASCII.isToken) else { return }
            default: break
            }
            output.writeBytes(name)
            output.writeStaticString(": ")
            output.writeBytes(value)
            output.writeStaticString("\r\n")
        }
    }

    private static func writeFraming(_ framing: Framing, into output: inout ByteBuffer) {
        switch framing {
        case .none, .untilClose: break
        case .chunked: output.writeStaticString("transfer-encoding: chunked\r\n")
        case .contentLength(let count):
            output.writeStaticString("content-length: ")
            output.writeString(String(count))
            output.writeStaticString("\r\n")
        }
    }

    /// RFC 9110 section 15; empty for statuses that have no common phrase.
    private static func reason(_ status: Int) -> StaticString {
        switch status {
        case 200: "OK"
        case 204: "No Content"
        case 301: "Moved Permanently"
        case 302: "Found"
        case 304: "Not Modified"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 408: "Request Timeout"
        case 413: "Content Too Large"
        case 414: "URI Too Long"
        case 415: "Unsupported Media Type"
        case 417: "Expectation Failed"
        case 429: "Too Many Requests"
        case 431: "Request Header Fields Too Large"
        case 500: "Internal Server Error"
        case 501: "Not Implemented"
        case 503: "Service Unavailable"
        case 504: "Gateway Timeout"
        case 505: "HTTP Version Not Supported"
        default: ""
        }
    }
}
