/// What HTTP/2 allows in a response beyond ``FieldRules`` (RFC 9113 sections 8.1 and 8.3.2, RFC 9110 section 8.6).
///
///     HEADERS :status 1xx --+--> HEADERS :status --> DATA ... --> END_STREAM, or HEADERS with END_STREAM (trailers)
///        ^                  |
///        +------------------+     (never 101, never with END_STREAM or content-length)
enum ResponseRules {
    /// Which requests have answers of their own kind.
    enum Question: UInt8 {
        case usual, head, connect

        init(_ method: HTTPMethod) { self = method.isHead ? .head : method.isConnect ? .connect : .usual }
    }

    /// The value of `:status`: three digits, the first of them not 0; nil for others, and for 101, which HTTP/2 does
    /// not have.
    static func status(_ value: UnsafeRawBufferPointer) -> Int? {
        guard value.count == 3, let status = FieldRules.length(value), status >= 100, status != 101 else { return nil }
        return status
    }

    /// Whether a response may say that its body has so many bytes: not before the final one, and 204 has none.
    static func maySay(length: Int?, status: Int) -> Bool {
        guard let length else { return true }
        return status >= 200 && (status != 204 || length == 0)
    }

    /// How many bytes of body must follow a final head; nil for any number. What answers HEAD, and 304, says the
    /// length of a body that does not come.
    static func bodyByteCount(_ status: Int, length: Int?, to question: Question) -> Int? {
        if question == .head || status == 204 || status == 304 { return 0 }
        return question == .connect ? nil : length
    }
}
