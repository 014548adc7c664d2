import FrameCodec
import NIOCore

/// The query of a Connect GET request: `connect=v1&encoding=json&message=...&base64=1&compression=gzip`.
///
/// Names that mean nothing here are ignored. One that does, given twice, is refused: which of both counts is a guess
/// that another program on the way may make differently (as rule M12).
struct ConnectQuery {
    /// Value of `encoding`: the codec's name.
    let encoding: String
    /// Value of `compression`, if any.
    let compression: String?
    let message: [UInt8]

    private static let names = ["connect", "encoding", "message", "base64", "compression"]

    /// A message in JSON that stood in the head of a request.
    init(json: [UInt8]) {
        encoding = MessageCodec.json.rawValue
        compression = nil
        message = json
    }

    /// - Parameter target: path and query of a request.
    /// - Throws: INVALID_ARGUMENT when a value is missing, malformed or repeated.
    init(_ target: UnsafeRawBufferPointer) throws(RPCError) {
        var values: [String: [UInt8]] = [:]
        let query = target.drop { $0 != UInt8(ascii: "?") }.dropFirst()
        for pair in query.split(separator: UInt8(ascii: "&")) {
            let name = pair.prefix { $0 != UInt8(ascii: "=") }
            guard let key = Self.unescape(name), let value = Self.unescape(pair.dropFirst(name.count + 1)) else {
                throw RPCError(.invalidArgument, "the query is not valid percent-encoding")
            }
            let text = String(decoding: key, as: UTF8.self)
            guard Self.names.contains(text) else { continue }
            guard values.updateValue(value, forKey: text) == nil else {
                throw RPCError(.invalidArgument, "query parameter \(text) is given more than once")
            }
        }
        if let version = values["connect"], version != Array("v1".utf8) {
            throw RPCError(.invalidArgument, "query parameter connect must be v1")
        }
        guard let encoding = values["encoding"] else {
            throw RPCError(.invalidArgument, "query parameter encoding is missing (proto or json)")
        }
        guard let message = values["message"] else {
            throw RPCError(.invalidArgument, "query parameter message is missing")
        }
        self.encoding = String(decoding: encoding, as: UTF8.self)
        compression = values["compression"].map { String(decoding: $0, as: UTF8.self) }
        guard values["base64"] == Array("1".utf8) else {
            self.message = message
            return
        }
        guard let bytes = Base64.decode(message, acceptsURLSafeAlphabet: true) else {
            throw RPCError(.invalidArgument, "query parameter message is not valid base64")
        }
        self.message = bytes
    }

    /// Percent-decoding, and `+` for a space as HTML forms write it; nil for a broken escape.
    static func unescape(_ text: some Collection<UInt8>) -> [UInt8]? {
        var output: [UInt8] = []
        var rest = text.makeIterator()
        while let byte = rest.next() {
            switch byte {
            case UInt8(ascii: "+"): output.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.next().flatMap(hexValue), let low = rest.next().flatMap(hexValue) else {
                    return nil
                }
                output.append(high << 4 | low)
            default: output.append(byte)
            }
        }
        return output
    }

    private static func hexValue(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }
}
