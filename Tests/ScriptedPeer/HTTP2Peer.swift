import CNGHTTP2

/// The server's side of HTTP/2, frame by frame, so that a test can break any rule. Nothing is sent unless the script
/// asks for it, except acknowledgements of SETTINGS and, unless switched off, of PING.
public final class HTTP2Peer {
    /// A request as it came.
    public struct Request {
        public let stream: UInt32
        public let fields: [(name: String, value: String)]
        public let body: [UInt8]

        public subscript(_ name: String) -> String? { fields.first { $0.name == name }?.value }
    }

    public struct Frame: Sendable {
        public let type: UInt8
        public let flags: UInt8
        public let stream: UInt32
        public let payload: [UInt8]
    }

    private let connection: PeerConnection
    private var inflater: OpaquePointer?
    private var open: [UInt32: (fields: [(name: String, value: String)], body: [UInt8])] = [:]
    public var answersPings = true
    /// PING frames that were not answers.
    public private(set) var pingCount = 0
    /// RST_STREAM frames of the client, by stream.
    public private(set) var resets: [UInt32: UInt32] = [:]

    /// Reads the client's preface and sends SETTINGS.
    public init?(_ connection: PeerConnection, settings: [(UInt16, UInt32)] = []) async throws {
        self.connection = connection
        guard nghttp2_hd_inflate_new(&inflater) == 0, try await connection.read(24) != nil else { return nil }
        try await connection.send(Self.settings(settings))
    }

    deinit { nghttp2_hd_inflate_del(inflater) }

    // MARK: In

    /// The next frame; nil when the client has gone.
    public func nextFrame() async throws -> Frame? {
        guard let head = try await connection.read(9) else { return nil }
        let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        guard let payload = try await connection.read(count) else { return nil }
        let stream = head[5...8].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        let frame = Frame(type: head[3], flags: head[4], stream: stream, payload: payload)
        try await note(frame)
        return frame
    }

    private func note(_ frame: Frame) async throws {
        switch frame.type {
        case 3: resets[frame.stream] = Self.number(frame.payload[0..<4])
        case 4 where frame.flags & 1 == 0: try await connection.send(Self.frame(4, flags: 1, stream: 0, []))
        case 6 where frame.flags & 1 == 0:
            pingCount += 1
            if answersPings { try await connection.send(Self.frame(6, flags: 1, stream: 0, frame.payload)) }
        default: break
        }
    }

    /// The next request that is complete; nil when the client has gone.
    public func nextRequest() async throws -> Request? {
        while let frame = try await nextFrame() {
            switch frame.type {
            case 1: open[frame.stream] = (fields(frame.payload), [])
            case 0: open[frame.stream]?.body += frame.payload
            default: continue
            }
            if frame.flags & 1 != 0, let whole = open.removeValue(forKey: frame.stream) {
                return Request(stream: frame.stream, fields: whole.fields, body: whole.body)
            }
        }
        return nil
    }

    private func fields(_ block: [UInt8]) -> [(name: String, value: String)] {
        var result: [(name: String, value: String)] = []
        block.withUnsafeBufferPointer { block in
            guard var next = block.baseAddress else { return }
            var left = block.count
            while true {
                var pair = nghttp2_nv()
                var flags: CInt = 0
                let used = nghttp2_hd_inflate_hd2(inflater, &pair, &flags, next, left, 1)
                guard used >= 0 else { return }
                next += used
                left -= used
                if flags & CInt(NGHTTP2_HD_INFLATE_EMIT.rawValue) != 0 {
                    let name = UnsafeBufferPointer(start: pair.name, count: pair.namelen)
                    let value = UnsafeBufferPointer(start: pair.value, count: pair.valuelen)
                    result.append((String(decoding: name, as: UTF8.self), String(decoding: value, as: UTF8.self)))
                }
                if flags & CInt(NGHTTP2_HD_INFLATE_FINAL.rawValue) != 0 {
                    nghttp2_hd_inflate_end_headers(inflater)
                    return
                }
                if used == 0, left == 0 { return }
            }
        }
        return result
    }

    /// Reads on until the client ends the connection.
    public func readToEnd() async throws { while try await nextFrame() != nil {} }

    // MARK: Out

    public func send(_ bytes: [UInt8]) async throws { try await connection.send(bytes) }

    /// Head, body in one DATA frame, trailers. Without `trailers` the body, or the head, ends the stream.
    public func respond(
        _ stream: UInt32, _ head: [(String, String)], body: [UInt8]? = nil, trailers: [(String, String)]? = nil
    ) async throws {
        var bytes = Self.headers(stream, head, endStream: body == nil && trailers == nil)
        if let body { bytes += Self.data(stream, body, endStream: trailers == nil) }
        if let trailers { bytes += Self.headers(stream, trailers, endStream: true) }
        try await connection.send(bytes)
    }

    public static func frame(_ type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), type, flags] + big(stream)
            + payload
    }

    public static func headers(_ stream: UInt32, _ fields: [(String, String)], endStream: Bool) -> [UInt8] {
        let block = fields.flatMap { literal($0.0, $0.1) }
        return frame(1, flags: endStream ? 5 : 4, stream: stream, block)
    }

    public static func data(_ stream: UInt32, _ bytes: [UInt8], endStream: Bool) -> [UInt8] {
        frame(0, flags: endStream ? 1 : 0, stream: stream, bytes)
    }

    public static func reset(_ stream: UInt32, _ code: UInt32) -> [UInt8] {
        frame(3, flags: 0, stream: stream, big(code))
    }

    public static func goAway(last: UInt32, _ code: UInt32 = 0) -> [UInt8] {
        frame(7, flags: 0, stream: 0, big(last) + big(code))
    }

    public static func settings(_ entries: [(UInt16, UInt32)]) -> [UInt8] {
        frame(4, flags: 0, stream: 0, entries.flatMap { [UInt8($0.0 >> 8), UInt8($0.0 & 0xFF)] + big($0.1) })
    }

    /// A literal field without indexing (RFC 7541 section 6.2.2).
    public static func literal(_ name: String, _ value: String) -> [UInt8] { [0] + string(name) + string(value) }

    private static func string(_ text: String) -> [UInt8] {
        let bytes = Array(text.utf8)
        if bytes.count < 127 { return [UInt8(bytes.count)] + bytes }
        var rest = bytes.count - 127
        var prefix: [UInt8] = [0x7F]
        while rest >= 128 {
            prefix.append(UInt8(rest & 0x7F) | 0x80)
            rest >>= 7
        }
        return prefix + [UInt8(rest)] + bytes
    }

    private static func big(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> UInt32 { bytes.reduce(0) { $0 << 8 | UInt32($1) } }
}
