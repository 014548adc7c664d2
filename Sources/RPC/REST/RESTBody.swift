import FrameCodec
import NIOCore

/// A request message of which a part is in the HTTP body and the rest in the path and the query.
///
/// The parts are joined as protobuf joins messages: encoded one after the other. What the path says comes last, and
/// so counts where the body says something else.
struct RESTBody: Sendable {
    /// What the body holds.
    enum Part: Sendable {
        case none
        case whole
        /// A message, under this number in the request.
        case field(number: Int, type: any Message.Type)

        /// - Throws: ``RESTError`` when the rule's body is no message of the request.
        init(_ rule: HTTPRule, _ request: any Message.Type) throws(RESTError) {
            switch rule.body {
            case .none: self = .none
            case .whole: self = .whole
            case .field(let name):
                guard let field = request.schema.field(named: name), !field.isList, case .message(let type) = field.kind
                else { throw RESTError("\"\(rule.path)\": \(request.schema.name) has no message \(name)") }
                self = .field(number: field.number, type: type)
            }
        }
    }

    let part: Part
    let request: any Message.Type
    /// Path and query as proto-JSON.
    let head: [UInt8]

    /// The whole request as proto-JSON.
    ///
    /// - Throws: INVALID_ARGUMENT when the body, or a value in the path or the query, is not of its type.
    func complete(_ body: ByteBuffer) throws(RPCError) -> ByteBuffer {
        do {
            let options = JSONDecodingOptions(ignoresUnknownFields: true)
            var bytes: [UInt8] = []
            switch part {
            case .none: break
            case .whole:
                bytes = try request.init(jsonBytes: Array(body.readableBytesView), options: options).serializedBytes()
            case .field(let number, let type):
                let inner = try type.init(jsonBytes: Array(body.readableBytesView), options: options).serializedBytes()
                bytes = Self.varint(number << 3 | 2) + Self.varint(inner.count) + inner
            }
            bytes += try request.init(jsonBytes: head, options: options).serializedBytes()
            return ByteBuffer(bytes: try request.init(serializedBytes: bytes).jsonBytes())
        } catch {
            throw RPCError(.invalidArgument, "the request is not valid JSON for \(request.schema.name): \(error)")
        }
    }

    private static func varint(_ value: Int) -> [UInt8] {
        var (rest, bytes) = (UInt64(truncatingIfNeeded: value), [UInt8]())
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        return bytes + [UInt8(truncatingIfNeeded: rest)]
    }
}
