import HTTPTransport

/// How messages and status travel in one call: the wire protocol and the exact content type to mirror.
///
/// | content type | protocol | body |
/// |---|---|---|
/// | `application/grpc` | gRPC | frames; status in HTTP trailers; HTTP/2 only |
/// | `application/grpc-web` | gRPC-Web | frames; status in a last frame with flag 0x80 |
/// | `application/grpc-web-text` | gRPC-Web | the same as base64 |
///
/// Each may end in `+proto`; the answer repeats the suffix as it came (rule W11). Source: gRPC PROTOCOL-HTTP2 and
/// PROTOCOL-WEB.
struct WireForm: Sendable, Equatable {
    enum WireProtocol: Sendable, Equatable { case grpc, grpcWeb, grpcWebText }

    let wireProtocol: WireProtocol
    let contentType: String

    /// Every accepted content type. Matching is exact, never by prefix: `application/grpcfoo` is not gRPC (rule W9).
    static let all: [WireForm] = [
        WireForm(.grpc, "application/grpc"),
        WireForm(.grpc, "application/grpc+proto"),
        WireForm(.grpcWeb, "application/grpc-web"),
        WireForm(.grpcWeb, "application/grpc-web+proto"),
        WireForm(.grpcWebText, "application/grpc-web-text"),
        WireForm(.grpcWebText, "application/grpc-web-text+proto"),
        WireForm(.grpcWebText, "application/grpc-web-text-base64"),
    ]

    /// Value of `Accept-Post` in a 415 answer.
    static let acceptPost = all.map(\.contentType).joined(separator: ", ")

    private init(_ wireProtocol: WireProtocol, _ contentType: String) {
        self.wireProtocol = wireProtocol
        self.contentType = contentType
    }

    /// The form of a request, from its content type; parameters (`; charset=utf-8`) are ignored, case too (rule W9).
    init?(contentType value: UnsafeRawBufferPointer) {
        guard let form = Self.all.first(where: { Self.matches(value, $0.contentType) }) else { return nil }
        self = form
    }

    /// The form of the answer: base64 text when the client asks for it, else the request's own form (rule W10).
    func answering(accept: String?) -> WireForm {
        guard wireProtocol == .grpcWeb, let accept, accept.lowercased().contains("application/grpc-web-text") else {
            return self
        }
        return WireForm(.grpcWebText, contentType.hasSuffix("+proto") ? "application/grpc-web-text+proto" : "application/grpc-web-text")
    }

    var isText: Bool { wireProtocol == .grpcWebText }
    var isWeb: Bool { wireProtocol != .grpc }

    private static func matches(_ value: UnsafeRawBufferPointer, _ contentType: String) -> Bool {
        var index = 0
        for expected in contentType.utf8 {
            guard index < value.count, lowercased(value[index]) == expected else { return false }
            index += 1
        }
        while index < value.count, value[index] == UInt8(ascii: " ") || value[index] == UInt8(ascii: "\t") { index += 1 }
        return index == value.count || value[index] == UInt8(ascii: ";")
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
