import CNGHTTP2

/// How soon a client wants an answer: its `priority` field (RFC 9218), a list such as `u=1, i`. What cannot be read
/// says nothing.
struct StreamPriority: Equatable {
    /// 0 is the most urgent of eight.
    var urgency: UInt32 = 3
    /// Whether a part of the answer is of use.
    var isIncremental = false

    init(_ fields: HTTPFields) {
        for value in fields.values(HTTPFieldName(.priority)) {
            for item in value.split(separator: ",") { read(item.filter { $0 != " " && $0 != "\t" }) }
        }
    }

    private mutating func read(_ item: String) {
        // Behind a semicolon are parameters, of which there are none yet.
        switch item.split(separator: ";").first {
        case "i", "i=?1": isIncremental = true
        case "i=?0": isIncremental = false
        case let item? where item.hasPrefix("u="):
            if item.count == 3, let urgency = UInt32(item.dropFirst(2)), urgency < 8 { self.urgency = urgency }
        default: break
        }
    }

    func apply(to streamID: Int32, of session: OpaquePointer) {
        var priority = nghttp2_extpri(urgency: urgency, inc: isIncremental ? 1 : 0)
        nghttp2_session_change_extpri_stream_priority(session, streamID, &priority, 0)
    }
}
