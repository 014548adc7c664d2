import Foundation
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
/// An absent authority or content type is a part of no bytes; a signed name that the request does not have has no
/// values.
enum Silo1Message {
    /// Fields that change what a request means: whoever signs must sign those it sends, and the verifier refuses
    /// a request that has one unsigned. Beside them: every name that begins with ``routingPrefix``.
    static let covered = ["connect-timeout-ms", "content-encoding", "grpc-encoding", "grpc-timeout"]
    static let routingPrefix = "x-silo-"

    static func isCovered(_ name: UnsafeRawBufferPointer) -> Bool {
        if name.count >= routingPrefix.utf8.count, name.starts(with: routingPrefix.utf8) { return true }
        return covered.contains { isEqual(name, $0) }
    }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer, _ text: String) -> Bool {
        guard bytes.count == text.utf8.count else { return false }
        let isSame = text.utf8.withContiguousStorageIfAvailable { text in
            guard let left = bytes.baseAddress, let right = text.baseAddress else { return bytes.isEmpty }
            return memcmp(left, right, bytes.count) == 0
        }
        return isSame ?? bytes.elementsEqual(text.utf8)
    }

    /// The names to sign of a request, sorted.
    static func fieldsToSign(_ fields: HTTPFields) -> [String] {
        var names: [String] = []
        fields.forEach { name, _ in
            guard isCovered(name), !names.contains(where: { isEqual(name, $0) }) else { return }
            names.append(String(decoding: name, as: UTF8.self))
        }
        names.sort()
        return names
    }

    /// Whether the request has nothing covered that is not signed.
    static func signsEverything(_ fields: HTTPFields, _ names: [String]) -> Bool {
        var isComplete = true
        fields.forEach { name, _ in
            if isCovered(name), !names.contains(where: { isEqual(name, $0) }) { isComplete = false }
        }
        return isComplete
    }

    static func bytes(_ header: Silo1Header, _ head: HTTPRequestHead, bodyHash: [UInt8]) -> [UInt8] {
        var message = SignedParts()
        message.append(Silo1Header.scheme)
        message.append(header.keyID)
        message.append(number: header.time)
        message.append(header.nonce)
        message.append(head.method.description)
        if head.withAuthority({ message.append($0) }) == nil { message.append("") }
        head.withPath { message.append($0) }
        if head.fields.withFirst(.contentType, { message.append($0) }) == nil { message.append("") }
        message.append(names: header.signedFields)
        for name in header.signedFields { append(valuesOf: name, head.fields, to: &message) }
        message.append(bodyHash)
        return message.bytes
    }

    private static func append(valuesOf name: String, _ fields: HTTPFields, to message: inout SignedParts) {
        // How many there are is known behind them.
        let place = message.bytes.count
        message.append(number: 0)
        var count = 0
        fields.forEach { other, value in
            guard isEqual(other, name) else { return }
            count += 1
            message.append(value)
        }
        message.replaceZero(at: place, by: count)
    }
}

/// Parts, each after its length.
private struct SignedParts {
    private(set) var bytes: [UInt8] = []

    init() { bytes.reserveCapacity(512) }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(_ part: [UInt8]) { part.withUnsafeBytes { append($0) } }

    mutating func append(number: Int64) { append(String(number)) }

    /// One part, with ";" between the names.
    mutating func append(names: [String]) {
        append(byteCount: names.reduce(0) { $0 + $1.utf8.count } + max(names.count - 1, 0))
        for (index, name) in names.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ";")) }
            bytes.append(contentsOf: name.utf8)
        }
    }

    /// Writes a number where the number 0 was appended.
    mutating func replaceZero(at place: Int, by number: Int) {
        if number < 10 {
            bytes[place + 4] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number)
        } else {
            var part = SignedParts()
            part.append(String(number))
            bytes.replaceSubrange(place..<place + 5, with: part.bytes)
        }
    }

    mutating func append(_ part: UnsafeRawBufferPointer) {
        append(byteCount: part.count)
        bytes.append(contentsOf: part)
    }

    private mutating func append(byteCount: Int) {
        let count = UInt32(truncatingIfNeeded: byteCount)
        bytes.append(UInt8(truncatingIfNeeded: count >> 24))
        bytes.append(UInt8(truncatingIfNeeded: count >> 16))
        bytes.append(UInt8(truncatingIfNeeded: count >> 8))
        bytes.append(UInt8(truncatingIfNeeded: count))
    }
}
