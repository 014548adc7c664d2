import CNGHTTP2

/// What HTTP/2 allows as a field of any message (RFC 9113 section 8.2).
///
/// nghttp2 would check it too, and ``RequestRules`` and ``ResponseRules`` as well, but every byte of every message:
/// that is a tenth of a short call. So it is told not to (`nghttp2_option_set_no_http_messaging`), and
/// ``HeadAssembler`` asks these rules, about what is not the same as in the message before. What nghttp2 refuses is
/// refused here; the tests compare them.
enum FieldRules {
    /// Whether a field that is no pseudo field has a lower-case name and no control bytes.
    ///
    /// - Parameter token: what the name was recognised as; known names are as they should be.
    static func isField(
        _ token: FieldToken, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer
    ) -> Bool {
        (token != .other || nghttp2_check_header_name(bytes(name), name.count) != 0) && value.isFieldValue
    }

    /// Whether there is nothing that belongs to one connection, nor `te` but for trailers.
    static func isFreeOfConnectionFields(_ storage: FieldStorage) -> Bool {
        !storage.mayHold(anyOf: FieldToken.connectionSpecificBits)
            && storage.allValues(of: .te) { $0.elementsAreIgnoringCase("trailers") }
    }

    /// The value of `content-length`; nil when it is no number.
    static func length(_ value: UnsafeRawBufferPointer) -> Int? {
        guard (1...18).contains(value.count), value.allSatisfy(ASCII.isDigit) else { return nil }
        return value.reduce(0) { $0 * 10 + Int($1 &- 0x30) }
    }

    /// nghttp2 never looks at the pointer of nothing.
    static func bytes(_ bytes: UnsafeRawBufferPointer) -> UnsafePointer<UInt8>? {
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self)
    }
}

extension FieldToken {
    static let connectionSpecificBits: UInt64 = [
        FieldToken.connection, .keepAlive, .proxyConnection, .transferEncoding, .upgrade,
    ].reduce(0) { $0 | $1.bit }
}
