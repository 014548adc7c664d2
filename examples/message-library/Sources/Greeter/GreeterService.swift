import RPC
import SwiftProtobuf

/// A service whose messages come from SwiftProtobuf; usually protoc-gen-swift makes them, here the well-known types do.
public struct GreeterService: RPCService {
    public static let greet = MethodDescriptor(
        service: "example.Greeter", method: "Greet", kind: .unary, idempotency: .noSideEffects
    )
    public static let count = MethodDescriptor(service: "example.Greeter", method: "Count", kind: .serverStreaming)

    public init() {}

    public var methods: [RPCMethod] {
        [
            .swiftProtobuf(Self.greet) { (request: Google_Protobuf_StringValue, _) in
                Google_Protobuf_StringValue("Hello, \(request.value)!")
            },
            .swiftProtobuf(streaming: Self.count) { (request: Google_Protobuf_UInt32Value, send, _) in
                for index in 0..<request.value { try await send(Google_Protobuf_UInt32Value(index)) }
            },
        ]
    }
}
