import FrameCodec
import HTTPTransport
import NIOCore

/// The outcome of a call in Connect's words: JSON, and HTTP status codes for unary calls.
///
/// Source: Connect Protocol Reference, "Error codes" and "Error-End-Stream".
enum ConnectStatus {
    /// `{"code":"not_found","message":"...","details":[{"type":"...","value":"base64","debug":{...}}]}`
    static func json(_ error: RPCError) -> [UInt8] {
        var output = Array("{\"code\":\"\(error.code.connectName)\"".utf8)
        if !error.message.isEmpty {
            output += Array(",\"message\":".utf8) + text(error.boundedMessage)
        }
        if !error.details.isEmpty {
            output += Array(",\"details\":[".utf8)
            for (index, detail) in error.details.enumerated() {
                if index > 0 { output.append(UInt8(ascii: ",")) }
                output += json(detail)
            }
            output.append(UInt8(ascii: "]"))
        }
        output.append(UInt8(ascii: "}"))
        return output
    }

    private static func json(_ detail: Protobuf.`Any`) -> [UInt8] {
        let type = detail.typeURL.split(separator: "/").last.map(String.init) ?? ""
        var output = Array("{\"type\":".utf8) + text(type) + Array(",\"value\":\"".utf8)
        output += Base64.encode(Array(detail.value), padded: false)
        output.append(UInt8(ascii: "\""))
        // For people who read the body; programs decode `value`.
        if let known = GoogleRPC.errorDetails[type],
            let message = try? known.init(serializedBytes: Array(detail.value)),
            let json = try? message.jsonBytes(options: JSONEncodingOptions(types: GoogleRPC.errorDetails))
        {
            output += Array(",\"debug\":".utf8) + json
        }
        output.append(UInt8(ascii: "}"))
        return output
    }

    /// The last message of a stream: flag 2 and `{"error":{...},"metadata":{"name":["value"]}}`.
    static func endStreamFrame(_ error: RPCError?, trailing: Metadata) -> ByteBuffer {
        var json = Array("{".utf8)
        if let error { json += Array("\"error\":".utf8) + self.json(error) }
        let metadata = metadataJSON([trailing] + (error.map { [$0.metadata] } ?? []))
        if !metadata.isEmpty {
            if error != nil { json.append(UInt8(ascii: ",")) }
            json += Array("\"metadata\":{".utf8) + metadata + Array("}".utf8)
        }
        json.append(UInt8(ascii: "}"))
        var frame = ByteBuffer()
        frame.writeInteger(endStreamFlag)
        frame.writeInteger(UInt32(truncatingIfNeeded: json.count))
        frame.writeBytes(json)
        return frame
    }

    /// Connect's own bit: gRPC-Web uses 0x80 for the same purpose (rule P2).
    private static let endStreamFlag: UInt8 = 0x02

    /// Members `"name":["value",...]`; equal names joined, in the order of their first use.
    private static func metadataJSON(_ parts: [Metadata]) -> [UInt8] {
        var names: [String] = []
        var values: [String: [String]] = [:]
        for part in parts {
            part.forEachApplicationField { name, value in
                let name = String(decoding: name, as: UTF8.self)
                if values[name] == nil { names.append(name) }
                values[name, default: []].append(String(decoding: value, as: UTF8.self))
            }
        }
        let members = names.map { name in
            let list = (values[name] ?? []).map(text).joined(separator: Array(",".utf8))
            return text(name) + Array(":[".utf8) + Array(list) + Array("]".utf8)
        }
        return Array(members.joined(separator: Array(",".utf8)))
    }

    private static func text(_ string: String) -> [UInt8] {
        (try? Protobuf.StringValue(value: string).jsonBytes()) ?? Array("\"\"".utf8)
    }
}

extension StatusCode {
    /// Connect's name, such as `not_found`; `unknown` for a number without a name.
    package var connectName: String {
        switch self {
        case .cancelled: "canceled"
        case .internalError: "internal"
        case .ok: "unknown"
        default: rawValue <= 16 ? description.lowercased() : "unknown"
        }
    }

    /// The HTTP status of a failed unary Connect call (rule S6). Never 408: HTTP clients may repeat it by themselves.
    var connectHTTPStatus: Int {
        switch self {
        case .cancelled: 499
        case .invalidArgument, .failedPrecondition, .outOfRange: 400
        case .deadlineExceeded: 504
        case .notFound: 404
        case .alreadyExists, .aborted: 409
        case .permissionDenied: 403
        case .resourceExhausted: 429
        case .unimplemented: 501
        case .unavailable: 503
        case .unauthenticated: 401
        default: 500
        }
    }
}
