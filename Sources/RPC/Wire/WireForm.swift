import HTTPTransport

/// One content type of one wire protocol: what a request came in, and what its answer repeats (rule W11).
///
/// A type without a subtype means protobuf. Raw-byte handlers see the codec as ``ServerCall/codec``.
enum WireForm: UInt8, Sendable, CaseIterable {
    case grpc, grpcProto, grpcJSON
    case web, webProto, webJSON
    case text, textProto, textJSON, textBase64
    case connectProto, connectJSON
    case connectStreamProto, connectStreamJSON
    case restJSON

    var contentType: StaticString {
        switch self {
        case .grpc: "application/grpc"
        case .grpcProto: "application/grpc+proto"
        case .grpcJSON: "application/grpc+json"
        case .web: "application/grpc-web"
        case .webProto: "application/grpc-web+proto"
        case .webJSON: "application/grpc-web+json"
        case .text: "application/grpc-web-text"
        case .textProto: "application/grpc-web-text+proto"
        case .textJSON: "application/grpc-web-text+json"
        case .textBase64: "application/grpc-web-text-base64"
        case .connectProto: "application/proto"
        case .connectJSON, .restJSON: "application/json"
        case .connectStreamProto: "application/connect+proto"
        case .connectStreamJSON: "application/connect+json"
        }
    }

    var wireProtocol: WireProtocol {
        switch self {
        case .grpc, .grpcProto, .grpcJSON: .grpc
        case .web, .webProto, .webJSON: .web
        case .text, .textProto, .textJSON, .textBase64: .webText
        case .connectProto, .connectJSON: .connectUnary
        case .connectStreamProto, .connectStreamJSON: .connectStream
        case .restJSON: .rest
        }
    }

    var codec: MessageCodec {
        switch self {
        case .grpcJSON, .webJSON, .textJSON, .connectJSON, .connectStreamJSON, .restJSON: .json
        default: .proto
        }
    }

    /// Base64 instead of bytes.
    var isText: Bool { wireProtocol == .webText }

    /// Header fields of an answer that adds none of its own. Made once: answers share the memory.
    var responseFields: HTTPFields { Self.responseFieldTable[Int(rawValue)] }

    private static let responseFieldTable = allCases.map { form in
        var fields = HTTPFields()
        fields.append(.contentType, bytes: form.contentType.bytes)
        return fields
    }

    /// Value of `Accept-Post`: what `method` can be called with.
    static func acceptPost(_ method: MethodDescriptor) -> String {
        allCases.filter { $0 != .restJSON && $0.wireProtocol.serves(method) }.map { "\($0.contentType)" }.joined(
            separator: ", ")
    }

    /// The form of a request, from its content type. Matching is exact, never by prefix: `application/grpcfoo` is not
    /// gRPC; parameters (`; charset=utf-8`) are ignored, case too (rule W9). REST is found by its path, never by its
    /// type.
    init?(contentType value: UnsafeRawBufferPointer) {
        // Nearly all write it as it stands here.
        let same = Self.allCases.first { value.elementsAre($0.contentType) }
        guard let form = same ?? Self.allCases.first(where: { Self.matches(value, $0.contentType) }) else { return nil }
        self = form
    }

    /// The form of a Connect GET request, from its `encoding`.
    init?(codec name: String) {
        switch MessageCodec(rawValue: name) {
        case .proto: self = .connectProto
        case .json: self = .connectJSON
        case nil: return nil
        }
    }

    /// The form of the answer: base64 text when the client asks for it, else the request's own form (rule W10).
    func answering(_ fields: HTTPFields) -> WireForm {
        guard wireProtocol == .web, let accept = fields.first(.accept),
            accept.lowercased().contains("application/grpc-web-text")
        else { return self }
        switch self {
        case .webProto: return .textProto
        case .webJSON: return .textJSON
        default: return .text
        }
    }

    private static func matches(_ value: UnsafeRawBufferPointer, _ contentType: StaticString) -> Bool {
        var index = contentType.utf8CodeUnitCount
        guard value.count >= index else { return false }
        for offset in 0..<index where lowercased(value[offset]) != contentType.utf8Start[offset] { return false }
        while index < value.count, value[index] == UInt8(ascii: " ") || value[index] == UInt8(ascii: "\t") {
            index += 1
        }
        return index == value.count || value[index] == UInt8(ascii: ";")
    }

    private static func lowercased(_ byte: UInt8) -> UInt8 {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
    }
}
