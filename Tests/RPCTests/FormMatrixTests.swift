import FrameCodec
import HTTPTransport
import Testing

@testable import RPC

/// One handler for every content type, HTTP version and kind of call: only the wrapping may differ.
@Suite(.timeLimit(.minutes(5))) struct FormMatrixTests {
    @Test("every form, HTTP version and call kind", arguments: WireForm.allCases, [HTTPClientProtocol.http1, .http2])
    func everyForm(form: WireForm, http: HTTPClientProtocol) async throws {
        try await TestServer.run { server in
            for call in Call.all where form.wireProtocol.serves(call.method) {
                let response = try await server.post(
                    call.method.path, over: http, headers: [("content-type", "\(form.contentType)")],
                    body: try body(call.requests, form)
                )
                if form.wireProtocol.needsHTTP2, http == .http1 {
                    #expect(response.head.status == 505)
                    continue
                }
                #expect(response.header("content-type") == "\(form.contentType)")
                #expect(try texts(response, form) == call.answers, "\(call.method.path)")
                #expect(try isOK(response, form))
            }
        }
    }

    private struct Call {
        let method: MethodDescriptor
        let requests: [String]
        let answers: [String]

        static let all = [
            Call(method: EchoService.unary, requests: ["hi"], answers: ["hi"]),
            Call(method: EchoService.twice, requests: ["hi"], answers: ["hi", "hi"]),
            Call(method: EchoService.joined, requests: ["a", "", "b"], answers: ["ab"]),
            Call(method: EchoService.chat, requests: ["a", "b"], answers: ["re: a", "re: b"]),
        ]
    }

    private func body(_ texts: [String], _ form: WireForm) throws -> [UInt8] {
        let messages = try texts.map { text in
            let message = Protobuf.StringValue(value: text)
            return form.codec == .json ? try message.jsonBytes() : message.serializedBytes()
        }
        guard form.wireProtocol.isFramed else { return messages[0] }
        let frames = messages.flatMap { FrameHeader(payloadByteCount: UInt32($0.count)).bytes + $0 }
        return form.isText ? Base64.encode(frames, padded: true) : frames
    }

    /// Flag and payload of each frame; a bare body counts as one frame.
    private func frames(_ response: RawResponse, _ form: WireForm) throws -> [(flag: UInt8, payload: [UInt8])] {
        guard form.wireProtocol.isFramed else { return [(0, response.body)] }
        var bytes = response.body
        if form.isText {
            var decoder = Base64StreamDecoder()
            var decoded: [UInt8] = []
            try bytes.withUnsafeBytes { try decoder.decode($0, into: &decoded) }
            try decoder.finish(into: &decoded)
            bytes = decoded
        }
        var frames: [(flag: UInt8, payload: [UInt8])] = []
        while !bytes.isEmpty {
            let header = try #require(bytes.withUnsafeBytes { FrameHeader($0) })
            frames.append((header.flags.rawValue, Array(bytes.dropFirst(5).prefix(Int(header.payloadByteCount)))))
            bytes = Array(bytes.dropFirst(5 + Int(header.payloadByteCount)))
        }
        return frames
    }

    private func texts(_ response: RawResponse, _ form: WireForm) throws -> [String] {
        try frames(response, form).filter { $0.flag == 0 }.map { frame in
            let message =
                form.codec == .json
                ? try Protobuf.StringValue(jsonBytes: frame.payload)
                : try Protobuf.StringValue(serializedBytes: frame.payload)
            return message.value
        }
    }

    private func isOK(_ response: RawResponse, _ form: WireForm) throws -> Bool {
        switch form.wireProtocol {
        case .grpc: return response.trailer("grpc-status") == "0"
        case .web, .webText:
            let last = try #require(try frames(response, form).last)
            return last.flag == 0x80 && String(decoding: last.payload, as: UTF8.self) == "grpc-status: 0\r\n"
        case .connectUnary, .connectGet, .rest: return response.head.status == 200
        case .connectStream:
            let last = try #require(try frames(response, form).last)
            return last.flag == 2 && last.payload == Array("{}".utf8)
        }
    }
}
