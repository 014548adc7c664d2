import Foundation
import FrameCodec
import HTTPTransport
import RPC
import Testing

/// Calls through TLS: what they are made of does not depend on it.
// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct SecureChannelTests {
    /// For 127.0.0.1, signed by itself; made once by the `openssl` program.
    struct Certificate: Sendable {
        let chain: TLSPEM
        let key: TLSPEM

        static let shared = Result { try Certificate() }

        private init() throws {
            let folder = NSTemporaryDirectory() + "rpc-tls-\(UUID().uuidString)"
            try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: folder) }
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
            process.arguments =
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=rpc"
                .split(separator: " ").map(String.init) + [
                    "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", folder + "/key", "-out", folder + "/chain",
                ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            chain = .text(try String(contentsOf: URL(fileURLWithPath: folder + "/chain"), encoding: .utf8))
            key = .text(try String(contentsOf: URL(fileURLWithPath: folder + "/key"), encoding: .utf8))
        }

        var server: TLSServerConfiguration {
            TLSServerConfiguration(identity: TLSIdentity(certificateChain: chain, privateKey: key))
        }

        var client: TLSClientConfiguration { TLSClientConfiguration(trustRoots: .custom(chain)) }
    }

    @Test("every protocol and kind of call", arguments: RPCChannel.Wire.everything)
    func everyKind(wire: RPCChannel.Wire) async throws {
        let certificate = try Certificate.shared.get()
        try await TestServer.run(tls: certificate.server) { server in
            try await server.withChannel(wire, configure: { $0.tls = certificate.client }) { channel in
                for text in ["", String(repeating: "x", count: 100_000)] {
                    let answer: Protobuf.StringValue = try await channel.unary(
                        EchoService.unary, Protobuf.StringValue(value: text))
                    #expect(answer.value == text)
                }
                let stream: ResponseStream<Protobuf.UInt32Value> = try await channel.serverStreaming(
                    EchoService.repeated, Protobuf.UInt32Value(value: 100))
                var seen: [UInt32] = []
                for try await message in stream { seen.append(message.value) }
                #expect(seen == Array(0..<100))
                let joined: Protobuf.StringValue = try await channel.clientStreaming(EchoService.joined) {
                    (requests: RequestWriter<Protobuf.StringValue>) in
                    for part in ["a", "", "b"] { try await requests.send(Protobuf.StringValue(value: part)) }
                }
                #expect(joined.value == "ab")
                let (requests, responses): (RequestWriter<Protobuf.StringValue>, ResponseStream<Protobuf.StringValue>) =
                    try await channel.bidirectionalStreaming(EchoService.chat)
                for text in ["a", "b"] { try await requests.send(Protobuf.StringValue(value: text)) }
                await requests.finish()
                var answers: [String] = []
                for try await answer in responses { answers.append(answer.value) }
                #expect(answers == ["re: a", "re: b"])
            }
        }
    }

    @Test("the server's certificate is verified unless somebody says otherwise: UNAVAILABLE, and why", arguments: [
        RPCChannel.Wire.grpc, .grpcWebHTTP1,
    ])
    func stranger(wire: RPCChannel.Wire) async throws {
        let certificate = try Certificate.shared.get()
        try await TestServer.run(tls: certificate.server) { server in
            try await server.withChannel(wire, configure: { $0.tls = TLSClientConfiguration() }) { channel in
                let error = await channel.ask(method: EchoService.unary).error
                #expect(error?.code == .unavailable)
                #expect(error?.message.contains("certificate") == true, "\(error?.message ?? "")")
            }
        }
    }
}
