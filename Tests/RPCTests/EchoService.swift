import FrameCodec
import NIOCore
import RPC
import Synchronization

/// The service under test, made of well-known types so that no generated file is needed.
struct EchoService: RPCService {
    static let name = "test.Echo"
    static let unary = MethodDescriptor(service: name, method: "Unary", kind: .unary)
    static let fail = MethodDescriptor(service: name, method: "Fail", kind: .unary)
    static let hang = MethodDescriptor(service: name, method: "Hang", kind: .unary)
    static let metadata = MethodDescriptor(service: name, method: "Metadata", kind: .unary)
    static let repeated = MethodDescriptor(service: name, method: "Repeat", kind: .serverStreaming)
    static let joined = MethodDescriptor(service: name, method: "Join", kind: .clientStreaming)
    static let chat = MethodDescriptor(service: name, method: "Chat", kind: .bidirectionalStreaming)
    static let detached = MethodDescriptor(service: name, method: "Detached", kind: .bidirectionalStreaming)
    /// The echo again, without side effects: for GET.
    static let look = MethodDescriptor(service: name, method: "Look", kind: .unary, idempotency: .noSideEffects)
    /// Fails with the code that the request names.
    static let code = MethodDescriptor(service: name, method: "Code", kind: .unary)
    /// Trailing metadata of both kinds, after one message.
    static let tailed = MethodDescriptor(service: name, method: "Tailed", kind: .serverStreaming)
    /// The echo, compressed on the handler's wish.
    static let compressed = MethodDescriptor(service: name, method: "Compressed", kind: .unary)
    /// The request three times: compressed, as it is, compressed.
    static let mixed = MethodDescriptor(service: name, method: "Mixed", kind: .serverStreaming)
    /// All metadata of the request come back as headers.
    static let echoMetadata = MethodDescriptor(service: name, method: "EchoMetadata", kind: .unary)
    /// Sends its headers, then fails.
    static let earlyHead = MethodDescriptor(service: name, method: "EarlyHead", kind: .serverStreaming)
    /// The request, two times.
    static let twice = MethodDescriptor(service: name, method: "Twice", kind: .serverStreaming)
    static let raw = MethodDescriptor(service: name, method: "Raw", kind: .unary)

    struct Unexpected: Error { let secret = "internal text" }

    /// Told when a hanging handler starts, and when it has been cancelled.
    var hang = HangProbe()

    var methods: [RPCMethod] {
        [
            .unary(Self.unary) { (request: Protobuf.StringValue, _) in request },
            .unary(Self.fail) { (request: Protobuf.StringValue, _) -> Protobuf.StringValue in
                try Self.failure(request.value)
            },
            .unary(Self.hang) { (_: Protobuf.StringValue, _) -> Protobuf.StringValue in
                hang.didStart()
                do {
                    try await Task.sleep(for: .seconds(600))
                } catch {
                    hang.didCancel()
                    throw error
                }
                return Protobuf.StringValue()
            },
            .unary(Self.metadata) { (_: Protobuf.StringValue, context) in
                context.addResponseMetadata("x-head", context.metadata["x-in"] ?? "none")
                context.addTrailingMetadata("x-tail", "tail")
                let bytes = context.metadata.binaryValues("x-in-bin").map { "\($0)" }.joined(separator: ";")
                return Protobuf.StringValue(value: bytes)
            },
            .serverStreaming(Self.repeated) {
                (request: Protobuf.UInt32Value, responses: ResponseWriter<Protobuf.UInt32Value>, _) in
                for index in 0..<request.value { try await responses.send(Protobuf.UInt32Value(value: index)) }
                if request.value == 7 { throw RPCError(.dataLoss, "after seven") }
            },
            .clientStreaming(Self.joined) { (requests: RequestStream<Protobuf.StringValue>, _) in
                var text = ""
                for try await request in requests { text += request.value }
                return Protobuf.StringValue(value: text)
            },
            .bidirectionalStreaming(Self.chat) {
                (requests: RequestStream<Protobuf.StringValue>, responses: ResponseWriter<Protobuf.StringValue>, _) in
                for try await request in requests {
                    try await responses.send(Protobuf.StringValue(value: "re: " + request.value))
                }
            },
            .bidirectionalStreaming(Self.detached) {
                (requests: RequestStream<Protobuf.StringValue>, responses: ResponseWriter<Protobuf.StringValue>, _) in
                try await Task.detached {
                    for try await request in requests { try await responses.send(request) }
                }.value
            },
            .unary(Self.look) { (request: Protobuf.StringValue, _) in request },
            .unary(Self.code) { (request: Protobuf.Int32Value, _) -> Protobuf.StringValue in
                throw RPCError(StatusCode(rawValue: Int(request.value)), "as asked")
            },
            .serverStreaming(Self.tailed) {
                (request: Protobuf.UInt32Value, responses: ResponseWriter<Protobuf.UInt32Value>, context) in
                for value in ["a", "b"] { context.addTrailingMetadata("x-tail", value) }
                context.addTrailingMetadata("x-tail-bin", bytes: [0, 1])
                try await responses.send(request)
            },
            .unary(Self.compressed) { (request: Protobuf.StringValue, context) in
                context.compressResponses(true)
                return request
            },
            .serverStreaming(Self.mixed) {
                (request: Protobuf.StringValue, responses: ResponseWriter<Protobuf.StringValue>, context) in
                for isOn in [true, false, true] {
                    context.compressResponses(isOn)
                    try await responses.send(request)
                }
            },
            .unary(Self.echoMetadata) { (request: Protobuf.StringValue, context) in
                context.addResponseMetadata(contentsOf: context.metadata)
                return request
            },
            .serverStreaming(Self.earlyHead) {
                (_: Protobuf.UInt32Value, _: ResponseWriter<Protobuf.UInt32Value>, context) in
                context.addResponseMetadata("x-early", "yes")
                context.sendResponseMetadata()
                throw RPCError(.aborted, "late")
            },
            .serverStreaming(Self.twice) {
                (request: Protobuf.StringValue, responses: ResponseWriter<Protobuf.StringValue>, _) in
                for _ in 0..<2 { try await responses.send(request) }
            },
            RPCMethod(Self.raw) { call, _ in
                while let bytes = try await call.nextMessage() { try await call.send(bytes: bytes) }
            },
        ]
    }

    private static func failure(_ kind: String) throws -> Protobuf.StringValue {
        switch kind {
        case "details":
            throw RPCError(
                .failedPrecondition, "needs ünïcode, 100% and\nmore",
                details: [GoogleRPC.ErrorInfo(reason: "WHY", domain: "test", metadata: ["key": "value"])]
            )
        case "unexpected": throw Unexpected()
        default: throw RPCError(.notFound, kind)
        }
    }
}

/// Lets a test wait for what happens to a hanging handler.
struct HangProbe: Sendable {
    private let started = AsyncStream.makeStream(of: Void.self)
    private let cancelled = AsyncStream.makeStream(of: Void.self)

    private let startCount = Counter()
    var hasStarted: Bool { startCount.value.load(ordering: .relaxed) > 0 }

    func didStart() {
        startCount.value.add(1, ordering: .relaxed)
        started.continuation.yield()
    }
    func didCancel() { cancelled.continuation.yield() }
    func untilStarted() async { for await _ in started.stream { return } }
    func untilCancelled() async { for await _ in cancelled.stream { return } }
}

private final class Counter: Sendable {
    let value = Atomic<Int>(0)
}
