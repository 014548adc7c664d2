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
enum WireForm: UInt8, Sendable, CaseIterable {
    case grpc, grpcProto
    case web, webProto
    case text, textProto, textBase64

    var contentType: StaticString {
        switch self {
        case .grpc: "application/grpc"
        case .grpcProto: "application/grpc+proto"
        case .web: "application/grpc-web"
        case .webProto: "application/grpc-web+proto"
        case .text: "application/grpc-web-text"
        case .textProto: "application/grpc-web-text+proto"
        case .textBase64: "application/grpc-web-text-base64"
        }
    }

    /// Base64 instead of bytes.
    var isText: Bool { rawValue >= WireForm.text.rawValue }
    /// Status in the body instead of in HTTP trailers.
    var isWeb: Bool { rawValue >= WireForm.web.rawValue }

    /// Header fields of an answer that adds none of its own. Made once: answers share the memory.
    var responseFields: HTTPFields { Self.responseFieldTable[Int(rawValue)] }

    private static let responseFieldTable = allCases.map { form in
        var fields = HTTPFields()
        fields.append(.contentType, bytes: form.contentType.bytes)
        return fields
    }

    /// Value of `Accept-Post` in a 415 answer.
    static let acceptPost = allCases.map { "\($0.contentType)" }.joined(separator: ", ")

    /// The form of a request, from its content type. Matching is exact, never by prefix: `application/grpcfoo` is not
    /// gRPC; parameters (`; charset=utf-8`) are ignored, case too (rule W9).
    init?(contentType value: UnsafeRawBufferPointer) {
        guard let form = Self.allCases.first(where: { Self.matches(value, $0.contentType) }) else { return nil }
        self = form
    }

    /// The form of the answer: base64 text when the client asks for it, else the request's own form (rule W10).
    func answering(_ fields: HTTPFields) -> WireForm {
        guard self == .web || self == .webProto, let accept = fields.first(.accept),
            accept.lowercased().contains("application/grpc-web-text")
        else { return self }
        return self == .webProto ? .textProto : .text
    }

    private static func matches(_ value: UnsafeRawBufferPointer, _ contentType: StaticString) -> Bool {
        var index = contentType.utf8CodeUnitCount
        guard value.count >= index else { return false }
        for offset in 0..<index where lowercased(value[offset]) != contentType.utf8Start[offset] { return false }
        while index < value.count, value[index] == UInt8(ascii: " ") || value[index] == UInt8(ascii: "\t") { index += 1 }
        return index == value.count || value[index] == UInt8(ascii: ";")
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
