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

    /// Heads and trailers that peers send, good ones and others (RFC 7541 section 6, names from the static table).
    static func blocks(from role: HTTP2Engine.Role) -> [[UInt8]] { role == .client ? requestBlocks : responseBlocks }

    private static let requestBlocks: [[UInt8]] = [
        request, request + authority, request + authority + field, request + authority + length, field, [],
    ]
    private static let responseBlocks: [[UInt8]] = [
        [status200], [status200] + field, [status200] + length, [0x89], interim, field, [], [status200] + upperCase,
    ]

    /// `:method POST`, `:scheme http` and `:path /`.
    private static let request: [UInt8] = [0x83, 0x86, 0x84]
    private static let authority: [UInt8] = [0x41, 1, 0x78]
    private static let status200: UInt8 = 0x88
    /// `:status 103`.
    private static let interim: [UInt8] = [0x08, 3, 0x31, 0x30, 0x33]
    /// `content-length 3`.
    private static let length: [UInt8] = [0x0F, 0x0D, 1, 0x33]
    private static let field: [UInt8] = [0, 1, 0x78, 1, 0x79]
    private static let upperCase: [UInt8] = [0, 1, 0x58, 1, 0x79]

    static let response = HTTPResponseHead(status: 200, fields: fields)
    static let requestHead = HTTPRequestHead(method: .post, path: "/a/b", fields: fields)

    /// One name that the table of tokens knows, one that is kept as text.
    private static var fields: HTTPFields {
        var fields: HTTPFields = [.contentType: "application/grpc"]
        if let name = HTTPFieldName("x-name") { fields.append(name, "a value that is a little longer") }
        return fields
    }
}
