import FrameCodec
import NIOCore
import RPC
import Synchronization

/// Methods with handlers that hold what an attacker wants held.
final class TargetService: RPCService, Sendable {
    private static let name = "attack.Target"
    private let stubborn = Atomic<Int>(0)

    var startedStubborn: Int { stubborn.load(ordering: .relaxed) }

    var methods: [RPCMethod] {
        [
            // The answer is the request.
            .unary(Self.method("Unary", .unary)) { (request: Protobuf.BytesValue, _) in request },
            // An answer of so many bytes.
            .unary(Self.method("Large", .unary)) { (request: Protobuf.UInt32Value, _) in
                Protobuf.BytesValue(value: [UInt8](repeating: 0x61, count: Int(min(request.value, 4_000_000))))
            },
            // So many messages of 16 KiB.
            .serverStreaming(Self.method("Pour", .serverStreaming)) {
                (request: Protobuf.UInt32Value, responses: ResponseWriter<Protobuf.BytesValue>, _) in
                let message = Protobuf.BytesValue(value: [UInt8](repeating: 0x62, count: 16 * 1024))
                for _ in 0..<request.value { try await responses.send(message) }
            },
            // The number of messages.
            .clientStreaming(Self.method("Count", .clientStreaming)) {
                (requests: RequestStream<Protobuf.BytesValue>, _) in
                var count: UInt32 = 0
                for try await _ in requests { count += 1 }
                return Protobuf.UInt32Value(value: count)
            },
            // Works for two seconds whatever happens to the caller.
            .unary(Self.method("Stubborn", .unary)) { (request: Protobuf.BytesValue, _) in
                self.stubborn.add(1, ordering: .relaxed)
                await Task.detached { try? await Task.sleep(for: .seconds(2)) }.value
                return request
            },
        ]
    }

    private static func method(_ method: String, _ kind: MethodDescriptor.Kind) -> MethodDescriptor {
        MethodDescriptor(service: name, method: method, kind: kind)
    }
}
