import CNGHTTP2

/// What HTTP/2 allows in a request beyond ``FieldRules`` (RFC 9113 section 8.3.1).
enum RequestRules {
    static func isAuthority(_ value: UnsafeRawBufferPointer) -> Bool {
        !value.isEmpty && nghttp2_check_authority(FieldRules.bytes(value), value.count) != 0
    }

    /// Rule M1: a path begins with a slash, or is the star of OPTIONS. Visible ASCII without a fragment.
    static func isPath(_ path: UnsafeRawBufferPointer, _ method: HTTPMethod) -> Bool {
        guard path.first == ASCII.slash else { return path.elementsAre("*") && method == .options }
        return path.isPathText
    }
}
