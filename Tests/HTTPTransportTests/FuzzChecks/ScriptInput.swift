@testable import HTTPTransport

/// The rest of a script; zeros and nothing after its end.
struct ScriptInput {
    private var rest: Slice<UnsafeRawBufferPointer>

    init(_ bytes: UnsafeRawBufferPointer) { rest = bytes[...] }

    var isEmpty: Bool { rest.isEmpty }

    mutating func byte() -> Int { Int(rest.popFirst() ?? 0) }

    mutating func bytes(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }
}

/// What scripts send without having to spell it out.
extension HTTP2Script {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let settings = frame(4, 0, 0, []) + frame(4, 1, 0, [])

    static func frame(_ type: UInt8, _ flags: UInt8, _ stream: Int, _ payload: [UInt8]) -> [UInt8] {
        [0, UInt8(payload.count >> 8 & 0xFF), UInt8(payload.count & 0xFF), type, flags, 0, 0, 0, UInt8(stream & 0xFF)]
            + payload
    }

    /// `:method POST`, `:scheme http` and `:path /` from HPACK's static table.
    static let requestBlock: [UInt8] = [0x83, 0x86, 0x84]
    /// `:status 200`.
    static let responseBlock: [UInt8] = [0x88]

    static let response = HTTPResponseHead(status: 200, fields: fields)
    static let request = HTTPRequestHead(method: .post, path: "/a/b", fields: fields)

    /// One name that the table of tokens knows, one that is kept as text.
    private static var fields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/grpc"]
        if let name = HTTPFieldName("x-name") { fields.append(name, "a value that is a little longer") }
        return fields
    }
}
