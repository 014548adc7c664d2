import HTTPTransport

/// The bytes that a Silo1 signature covers.
///
/// Every part is its length (four bytes, most significant first) and its bytes, so that no two different requests give
/// the same bytes, whatever they hold:
///
///     "Silo1"  key id  time  nonce  method  authority  path  content-type  signed names, ";" between
///     for each signed name: number of values, the values in order
///     SHA-256 of the body as it stands on the wire
///
/// An absent authority or content type is a part of no bytes; a signed name that the request does not have has no values.
enum Silo1Message {
    /// Fields that change what a request means: whoever signs must sign those it sends, and the verifier refuses
    /// a request that has one unsigned. Beside them: every name that begins with ``routingPrefix``.
    static let covered = ["connect-timeout-ms", "content-encoding", "grpc-encoding", "grpc-timeout"]
    static let routingPrefix = "x-silo-"

    static func isCovered(_ name: UnsafeRawBufferPointer) -> Bool {
        name.starts(with: routingPrefix.utf8) || covered.contains { name.elementsEqual($0.utf8) }
    }

    /// The names to sign of a request, sorted.
    static func fieldsToSign(_ fields: HTTPFields) -> [String] {
        var names: Set<String> = []
        fields.forEach { name, _ in
            if isCovered(name) { names.insert(String(decoding: name, as: UTF8.self)) }
        }
        return names.sorted()
    }

    /// Whether the request has nothing covered that is not signed.
    static func signsEverything(_ fields: HTTPFields, _ names: [String]) -> Bool {
        var isComplete = true
        fields.forEach { name, _ in
            if isCovered(name), !names.contains(where: { name.elementsEqual($0.utf8) }) { isComplete = false }
        }
        return isComplete
    }

    static func bytes(_ header: Silo1Header, _ head: HTTPRequestHead, bodyHash: [UInt8]) -> [UInt8] {
        var message: [UInt8] = []
        message.reserveCapacity(512)
        append(Silo1Header.scheme, to: &message)
        append(header.keyID, to: &message)
        append("\(header.time)", to: &message)
        append(header.nonce, to: &message)
        append(head.method.description, to: &message)
        append(head.authority ?? "", to: &message)
        head.withPath { append($0, to: &message) }
        append(head.fields.first(.contentType) ?? "", to: &message)
        append(header.signedFields.joined(separator: ";"), to: &message)
        for name in header.signedFields { append(valuesOf: name, head.fields, to: &message) }
        append(bodyHash, to: &message)
        return message
    }

    private static func append(valuesOf name: String, _ fields: HTTPFields, to message: inout [UInt8]) {
        guard let field = HTTPFieldName(name) else { return append("0", to: &message) }
        let count = fields.count(of: field)
        append("\(count)", to: &message)
        guard count > 0 else { return }
        fields.forEach { other, value in
            if other.elementsEqual(name.utf8) { append(value, to: &message) }
        }
    }

    private static func append(_ text: String, to message: inout [UInt8]) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0), to: &message) }
    }

    private static func append(_ bytes: [UInt8], to message: inout [UInt8]) {
        bytes.withUnsafeBytes { append($0, to: &message) }
    }

    private static func append(_ bytes: UnsafeRawBufferPointer, to message: inout [UInt8]) {
        let count = UInt32(truncatingIfNeeded: bytes.count)
        for shift in [24, 16, 8, 0] as [UInt32] { message.append(UInt8(truncatingIfNeeded: count >> shift)) }
        message.append(contentsOf: bytes)
    }
}
