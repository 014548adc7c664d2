import FrameCodec
import HTTPTransport
import NIOCore

/// Connect's errors and end of stream, which are JSON whatever the codec. Source: Connect protocol reference.
enum ConnectJSON {
    /// The body of a unary answer whose HTTP status is not 200. What is not understood falls back to the status.
    static func unaryError(_ body: ByteBuffer, httpStatus: Int) -> RPCError {
        let fallback = StatusCode(httpStatus: httpStatus)
        guard let object = object(body) else {
            return RPCError(fallback, "the server answered with HTTP status \(httpStatus), not with a Connect error")
        }
        return error(object, fallback: fallback)
    }

    /// `{"error": {...}, "metadata": {"name": ["value"]}}`.
    static func endOfStream(_ payload: ByteBuffer) throws(RPCError) -> ResponseReader.Outcome {
        guard let object = object(payload) else {
            throw RPCError(.internalError, "the response's last frame is not a JSON object")
        }
        var outcome = ResponseReader.Outcome()
        if case .structValue(let metadata)? = object["metadata"]?.kind {
            outcome.trailing = Metadata(fields: fields(metadata.fields))
        }
        switch object["error"]?.kind {
        case nil, .nullValue: break
        case .structValue(let text):
            outcome.error = error(text.fields, fallback: .unknown)
            outcome.error?.metadata = outcome.trailing
        default: throw RPCError(.internalError, "the response's last frame has an error that is not an object")
        }
        return outcome
    }

    private static func object(_ bytes: ByteBuffer) -> [String: Protobuf.Value]? {
        try? bytes.withUnsafeReadableBytes { try Protobuf.Struct(jsonBytes: $0).fields }
    }

    private static func error(_ object: [String: Protobuf.Value], fallback: StatusCode) -> RPCError {
        let code = text(object["code"]).flatMap(StatusCode.init(connectName:)) ?? fallback
        var error = RPCError(code, text(object["message"]) ?? "")
        if case .listValue(let list)? = object["details"]?.kind {
            error.details = list.values.prefix(128).compactMap(detail)
        }
        return error
    }

    private static func detail(_ value: Protobuf.Value) -> Protobuf.`Any`? {
        guard case .structValue(let object)? = value.kind, let type = text(object.fields["type"]),
            let encoded = text(object.fields["value"]), let bytes = Base64.decode(Array(encoded.utf8))
        else { return nil }
        return Protobuf.`Any`(typeURL: Protobuf.`Any`.defaultTypeURLPrefix + type, value: bytes)
    }

    private static func fields(_ object: [String: Protobuf.Value]) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in object.sorted(by: { $0.key < $1.key }) {
            guard let name = HTTPFieldName(name), case .listValue(let list)? = value.kind else { continue }
            for value in list.values { if let value = text(value) { fields.append(name, value) } }
        }
        return fields
    }

    private static func text(_ value: Protobuf.Value?) -> String? {
        if case .stringValue(let text)? = value?.kind { text } else { nil }
    }
}

extension StatusCode {
    /// A code as Connect spells it, such as `not_found`.
    init?(connectName name: String) {
        let known = (1...16).lazy.map(StatusCode.init(rawValue:)).first { code in
            let spelled = code == .cancelled ? "canceled" : code.description.lowercased()
            return spelled == name
        }
        guard let known else { return nil }
        self = known
    }
}

/// Unary Connect answers carry their trailers as headers with a prefix.
enum ConnectFields {
    static func split(_ fields: HTTPFields) -> (leading: HTTPFields, trailing: HTTPFields) {
        let prefix = "trailer-".utf8
        var leading = HTTPFields()
        var trailing = HTTPFields()
        fields.forEach { name, value in
            if name.count > prefix.count, name.starts(with: prefix) {
                trailing.append(name: UnsafeRawBufferPointer(rebasing: name[prefix.count...]), value: value)
            } else {
                leading.append(name: name, value: value)
            }
        }
        return (leading, trailing)
    }
}
