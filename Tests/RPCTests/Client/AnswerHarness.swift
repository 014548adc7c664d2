import FrameCodec
import HTTPTransport
import NIOCore
import Testing

@testable import RPC

/// What a client makes of a response, as a value that can be compared.
struct Reading: Equatable {
    var messages: [[UInt8]] = []
    var code = StatusCode.ok
    var message = ""
    var detailTypes: [String] = []
    var trailing: [String] = []

    static func == (left: Reading, right: Reading) -> Bool {
        left.messages == right.messages && left.code == right.code && left.message == right.message
            && left.detailTypes == right.detailTypes && left.trailing == right.trailing
    }
}

/// A response as it comes from the wire, given to the client's reader in pieces.
struct Answer {
    var wire = RPCChannel.Wire.grpc
    var kind = MethodDescriptor.Kind.serverStreaming
    var status = 200
    var fields: [(String, String)] = []
    var body: [UInt8] = []
    var trailers: [(String, String)]?
    var limit = 1024

    /// A gRPC answer over HTTP/2.
    static func grpc(_ body: [UInt8] = [], trailers: [(String, String)]?, head: [(String, String)] = []) -> Answer {
        Answer(fields: [("content-type", "application/grpc+proto")] + head, body: body, trailers: trailers)
    }

    /// A gRPC-Web answer; its status is in the body.
    static func web(_ body: [UInt8], head: [(String, String)] = []) -> Answer {
        Answer(wire: .grpcWebHTTP1, fields: [("content-type", "application/grpc-web+proto")] + head, body: body)
    }

    static func connect(
        _ body: [UInt8], kind: MethodDescriptor.Kind = .serverStreaming, status: Int = 200, type: String? = nil,
        head: [(String, String)] = []
    ) -> Answer {
        let standard =
            kind == .unary ? (status == 200 ? "application/proto" : "application/json") : "application/connect+proto"
        return Answer(
            wire: .connectHTTP1, kind: kind, status: status, fields: [("content-type", type ?? standard)] + head,
            body: body)
    }

    /// What the reader says, which must not depend on how the body was cut.
    func read(sourceLocation: SourceLocation = #_sourceLocation) -> Reading {
        let whole = read(pieces: [body])
        #expect(read(pieces: body.map { [$0] }) == whole, "byte by byte", sourceLocation: sourceLocation)
        for split in 0...min(body.count, 200) {
            let pieces = [Array(body[..<split]), Array(body[split...])]
            #expect(read(pieces: pieces) == whole, "split at \(split)", sourceLocation: sourceLocation)
        }
        return whole
    }

    private func read(pieces: [[UInt8]]) -> Reading {
        var configuration = RPCChannel.Configuration(host: "x", port: 1, wire: wire)
        configuration.maximumResponseMessageByteCount = limit
        var reader = ResponseReader(
            ResponseTerms(configuration), MethodDescriptor(service: "t.S", method: "M", kind: kind))
        var reading = Reading()
        do throws(RPCError) {
            try reader.readHead(HTTPResponseHead(status: status, fields: Self.fields(fields)))
            for piece in pieces where !piece.isEmpty {
                try reader.append(ByteBuffer(bytes: piece))
                while let message = try reader.next() { reading.messages.append(Array(message.readableBytesView)) }
            }
            try reader.finish(trailers: trailers.map(Self.fields))
            while let message = try reader.next() { reading.messages.append(Array(message.readableBytesView)) }
            if let error = reader.outcome?.error { throw error }
            reader.outcome?.trailing.fields.forEach { name, value in reading.trailing.append(Self.line(name, value)) }
        } catch {
            reading.code = error.code
            reading.message = error.message
            reading.detailTypes = error.details.map(\.messageName)
        }
        return reading
    }

    static func fields(_ pairs: [(String, String)]) -> HTTPFields {
        var fields = HTTPFields()
        for (name, value) in pairs { if let name = HTTPFieldName(name) { fields.append(name, value) } }
        return fields
    }

    private static func line(_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> String {
        "\(String(decoding: name, as: UTF8.self)): \(String(decoding: value, as: UTF8.self))"
    }
}

/// Frames by hand.
enum Frames {
    static func frame(_ flags: UInt8 = 0, _ payload: [UInt8]) -> [UInt8] {
        let count = UInt32(payload.count)
        return [flags, UInt8(count >> 24), UInt8(count >> 16 & 0xFF), UInt8(count >> 8 & 0xFF), UInt8(count & 0xFF)]
            + payload
    }

    static func trailers(_ text: String) -> [UInt8] { frame(0x80, Array(text.utf8)) }
    static func connectEnd(_ json: String) -> [UInt8] { frame(0x02, Array(json.utf8)) }

    static let ok: [(String, String)] = [("grpc-status", "0")]
    /// gzip of "hello", by Python's gzip.compress(b"hello", mtime=0).
    static let gzipHello: [UInt8] = [
        0x1F, 0x8B, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0xFF, 0xCB, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x86,
        0xA6,
        0x10, 0x36, 0x05, 0x00, 0x00, 0x00,
    ]
}
