import CNGHTTP2

@testable import HTTPTransport

/// A session of nghttp2 as it comes, which checks messages itself: what ``HTTP2Engine`` must refuse too.
final class PlainSession {
    private var session: OpaquePointer?
    /// As a client: what it takes.
    private(set) var reports: [Report] = []
    /// Of the present header block.
    private var fields: [(name: String, value: String)] = []
    private var hasHead: Set<Int32> = []

    init(_ role: HTTP2Engine.Role = .server) {
        var options: OpaquePointer?
        nghttp2_option_new(&options)
        // As the engine's.
        nghttp2_option_set_no_auto_window_update(options, 1)
        // Outer whitespace must not fail a call; the engine strips it (rule M4).
        nghttp2_option_set_no_rfc9113_leading_and_trailing_ws_validation(options, 1)
        var callbacks: OpaquePointer?
        nghttp2_session_callbacks_new(&callbacks)
        if role == .server {
            nghttp2_session_server_new2(&session, callbacks, nil, options)
        } else {
            install(callbacks)
            nghttp2_session_client_new2(&session, callbacks, Unmanaged.passUnretained(self).toOpaque(), options)
        }
        nghttp2_session_callbacks_del(callbacks)
        nghttp2_option_del(options)
        nghttp2_submit_settings(session, 0, nil, 0)
    }

    deinit { nghttp2_session_del(session) }

    /// Opens a stream; without `endsStream` its body never comes.
    func request(_ method: String, endsStream: Bool) {
        let fields = [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "x")]
        let texts = fields.map { (Array($0.0.utf8), Array($0.1.utf8)) }
        var pairs = texts.map { name, value in
            nghttp2_nv(
                name: .init(mutating: Self.kept(name)), value: .init(mutating: Self.kept(value)), namelen: name.count,
                valuelen: value.count, flags: 0)
        }
        var provider = nghttp2_data_provider()
        provider.read_callback = { _, _, _, _, _, _, _ in Int(NGHTTP2_ERR_DEFERRED.rawValue) }
        if endsStream {
            nghttp2_submit_request(session, nil, &pairs, pairs.count, nil, nil)
        } else {
            nghttp2_submit_request(session, nil, &pairs, pairs.count, &provider, nil)
        }
        for pair in pairs {
            pair.name.deallocate()
            pair.value.deallocate()
        }
    }

    private static func kept(_ bytes: [UInt8]) -> UnsafePointer<UInt8> {
        let memory = UnsafeMutablePointer<UInt8>.allocate(capacity: bytes.count)
        memory.initialize(from: bytes, count: bytes.count)
        return UnsafePointer(memory)
    }

    /// What it answers.
    @discardableResult
    func feed(_ bytes: [UInt8]) -> [UInt8] {
        _ = bytes.withUnsafeBufferPointer { nghttp2_session_mem_recv(session, $0.baseAddress, $0.count) }
        var output: [UInt8] = []
        while true {
            var data: UnsafePointer<UInt8>?
            let count = nghttp2_session_mem_send(session, &data)
            guard count > 0 else { return output }
            output += UnsafeBufferPointer(start: data, count: count)
        }
    }

    // MARK: What a client takes

    private func install(_ callbacks: OpaquePointer?) {
        nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks) { _, _, user in
            PlainSession.of(user)?.fields = []
            return 0
        }
        nghttp2_session_callbacks_set_on_header_callback(callbacks) { _, _, name, nameCount, value, count, _, user in
            let name = String(decoding: UnsafeBufferPointer(start: name, count: nameCount), as: UTF8.self)
            let value = String(decoding: UnsafeBufferPointer(start: value, count: count), as: UTF8.self)
            PlainSession.of(user)?.fields.append((name, value))
            return 0
        }
        nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks) { _, frame, user in
            if let frame { PlainSession.of(user)?.didReceive(frame.pointee.hd) }
            return 0
        }
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks) { _, _, stream, data, count, user in
            PlainSession.of(user)?.didReceive(stream, Array(UnsafeBufferPointer(start: data, count: count)))
            return 0
        }
        nghttp2_session_callbacks_set_on_stream_close_callback(callbacks) { _, stream, code, user in
            PlainSession.of(user)?.reports.append(.closed(stream, "\(HTTP2ErrorCode(rawValue: code))"))
            return 0
        }
    }

    private static func of(_ user: UnsafeMutableRawPointer?) -> PlainSession? {
        user.map { Unmanaged<PlainSession>.fromOpaque($0).takeUnretainedValue() }
    }

    private func didReceive(_ header: nghttp2_frame_hd) {
        let stream = header.stream_id
        guard header.type <= 1 else { return }
        let status = fields.first { $0.name == ":status" }?.value
        if header.type == 1, !hasHead.contains(stream), let status, status >= "200" {
            hasHead.insert(stream)
            reports.append(.head(stream, status))
        } else if header.type == 1, hasHead.contains(stream) {
            reports.append(.trailers(stream, fields.map { "\($0.name): \($0.value)" }.joined(separator: "; ")))
        }
        if header.flags & 1 != 0 { reports.append(.end(stream)) }
    }

    private func didReceive(_ stream: Int32, _ bytes: [UInt8]) {
        if case .data(let id, let before)? = reports.last, id == stream {
            reports[reports.count - 1] = .data(id, before + bytes)
        } else {
            reports.append(.data(stream, bytes))
        }
    }
}

/// Fields that neither requests nor responses may have, wherever they stand.
enum ForbiddenFields {
    static let all: [(String, String)] = [
        ("te", "gzip"), ("te", ""), ("te", "trailers, gzip"), ("connection", "close"), ("keep-alive", "1"),
        ("proxy-connection", "close"), ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("X-Upper", "a"),
        ("xUpper", "a"), (":status", "200"), (":x", "y"), (":", "y"), (":protocol", "websocket"),
        ("content-length", "5x"), ("content-length", ""), ("content-length", "-1"), ("content-length", "+1"),
        ("content-length", "99999999999999999999"),
    ]

    /// The block with each of the fields at each place.
    static func placing(_ fields: [(String, String)], in block: [(String, String)]) -> [[(String, String)]] {
        fields.flatMap { field in (0...block.count).map { Array(block[..<$0]) + [field] + block[$0...] } }
    }
}

/// Breaks blocks of fields at random.
struct BlockScrambler {
    let names: [String]
    let values: [String]

    /// Replaces a name or a value, swaps two fields, or says one twice.
    func scramble(_ block: inout [(name: String, value: String)], using random: inout some RandomNumberGenerator) {
        let index = Int.random(in: block.indices, using: &random)
        switch Int.random(in: 0...3, using: &random) {
        case 0: block[index].value = values.randomElement(using: &random) ?? ""
        case 1: block[index].name = names.randomElement(using: &random) ?? ""
        case 2: block.swapAt(index, Int.random(in: block.indices, using: &random))
        default: block.insert(block[index], at: Int.random(in: block.indices, using: &random))
        }
    }
}
