import NIOCore

@testable import HTTPTransport

/// What an engine reported, as values that can be compared.
enum Report: Equatable {
    case head(Int32, String)
    case data(Int32, [UInt8])
    case end(Int32)
    case trailers(Int32, String)
    case closed(Int32, String)
    case goAway(Int32, String)
}

/// An engine with a log of its events, driven by hand.
final class TestEngine {
    let engine: HTTP2Engine
    var reports: [Report] = []
    var streams: [Int32: HTTP2Stream] = [:]
    var isAlive = true
    var now: UInt64 = 1

    init(_ role: HTTP2Engine.Role, limits: HTTPLimits = HTTPLimits()) throws {
        engine = try HTTP2Engine(role: role, limits: limits)
    }

    /// Feeds in slices of at most `step` bytes; stops when the engine does.
    @discardableResult
    func feed(_ bytes: [UInt8], step: Int = HTTP2Engine.sliceByteCount, drains: Bool = true) -> [UInt8] {
        var output: [UInt8] = []
        var index = 0
        while index < bytes.count, isAlive {
            let slice = Array(bytes[index..<min(index + step, bytes.count)])
            isAlive = slice.withUnsafeBytes { engine.feed($0, now: now) }
            record(slice)
            index += slice.count
            if drains { output += drain() }
            isAlive = isAlive && engine.failure == nil
        }
        if !isAlive { output += drain() }
        return output
    }

    func drain() -> [UInt8] {
        var output = ByteBuffer()
        while engine.drain(into: &output, upTo: output.readableBytes + 65_536, now: now) {}
        record([])
        return Array(output.readableBytesView)
    }

    private func record(_ slice: [UInt8]) {
        for event in engine.takeEvents() {
            switch event {
            case .head(let reference):
                let stream = reference.takeUnretainedValue()
                streams[stream.id] = stream
                if let head = stream.requestHead {
                    reports.append(.head(stream.id, "\(head.method) \(head.path) \(head.authority ?? "-")"))
                } else if let head = stream.responseHead {
                    reports.append(.head(stream.id, "\(head.status)"))
                }
            case .data(let reference, let offset, let count):
                let stream = reference.takeUnretainedValue()
                let bytes = Array(slice[offset..<(offset + count)])
                engine.consume(count, on: stream)
                if case .data(let id, let before)? = reports.last, id == stream.id {
                    reports[reports.count - 1] = .data(id, before + bytes)
                } else {
                    reports.append(.data(stream.id, bytes))
                }
            case .end(let reference):
                let stream = reference.takeUnretainedValue()
                if let trailers = stream.trailers {
                    reports.append(.trailers(stream.id, "\(Self.text(trailers))"))
                }
                reports.append(.end(stream.id))
            case .closed(let reference, let code):
                let stream = reference.takeUnretainedValue()
                streams[stream.id] = nil
                reports.append(.closed(stream.id, "\(code)"))
            case .goAway(let last, let code): reports.append(.goAway(last, "\(code)"))
            case .drained, .noticeAcknowledged, .settings: break
            }
        }
    }

    static func text(_ fields: HTTPFields) -> String {
        var lines: [String] = []
        fields.forEach {
            lines.append("\(String(decoding: $0, as: UTF8.self)): \(String(decoding: $1, as: UTF8.self))")
        }
        return lines.joined(separator: "; ")
    }
}

/// HTTP/2 frames written by hand, for peers that break rules.
enum Wire {
    static let preface = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8)
    static let emptySettings = frame(type: 4, flags: 0, stream: 0, [])
    static let settingsAcknowledgement = frame(type: 4, flags: 1, stream: 0, [])
    static let begin = preface + emptySettings

    static func frame(type: UInt8, flags: UInt8, stream: UInt32, _ payload: [UInt8]) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF), type, flags]
            + big(stream) + payload
    }

    static func big(_ value: UInt32) -> [UInt8] {
        [UInt8(value >> 24), UInt8(value >> 16 & 0xFF), UInt8(value >> 8 & 0xFF), UInt8(value & 0xFF)]
    }

    /// A literal field without indexing (RFC 7541 section 6.2.2), names and values shorter than 127 bytes.
    static func literal(_ name: String, _ value: String) -> [UInt8] {
        [0x00] + string(name) + string(value)
    }

    static func string(_ text: String) -> [UInt8] {
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

    static func requestBlock(
        method: String = "POST", path: String = "/a/b", scheme: String = "http", authority: String? = "x",
        _ more: [(String, String)] = []
    ) -> [UInt8] {
        var block = literal(":method", method) + literal(":scheme", scheme) + literal(":path", path)
        if let authority { block += literal(":authority", authority) }
        for (name, value) in more { block += literal(name, value) }
        return block
    }

    /// END_HEADERS, and END_STREAM when asked.
    static func headers(_ stream: UInt32, _ block: [UInt8], endStream: Bool = true) -> [UInt8] {
        frame(type: 1, flags: endStream ? 5 : 4, stream: stream, block)
    }

    static func data(_ stream: UInt32, _ bytes: [UInt8], endStream: Bool = false) -> [UInt8] {
        frame(type: 0, flags: endStream ? 1 : 0, stream: stream, bytes)
    }

    static func reset(_ stream: UInt32, _ code: UInt32 = 8) -> [UInt8] {
        frame(type: 3, flags: 0, stream: stream, big(code))
    }

    /// Type, flags, stream and payload of every frame in `bytes`.
    static func frames(_ bytes: [UInt8]) -> [Frame] {
        var result: [Frame] = []
        var index = 0
        while index + 9 <= bytes.count {
            let count = Int(bytes[index]) << 16 | Int(bytes[index + 1]) << 8 | Int(bytes[index + 2])
            let stream = bytes[(index + 5)..<(index + 9)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            let end = min(index + 9 + count, bytes.count)
            result.append(
                Frame(
                    type: bytes[index + 3], flags: bytes[index + 4], stream: stream,
                    payload: Array(bytes[(index + 9)..<end])))
            index = end
        }
        return result
    }
}

struct Frame: Equatable {
    let type: UInt8
    let flags: UInt8
    let stream: UInt32
    let payload: [UInt8]

    /// Error code of RST_STREAM and GOAWAY.
    var code: UInt32? {
        let bytes = type == 3 ? payload[0..<4] : type == 7 && payload.count >= 8 ? payload[4..<8] : []
        return bytes.isEmpty ? nil : bytes.reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    }
}

extension [Frame] {
    func ofType(_ type: UInt8) -> [Frame] { filter { $0.type == type } }
    var goAwayCodes: [UInt32] { ofType(7).compactMap(\.code) }
}
