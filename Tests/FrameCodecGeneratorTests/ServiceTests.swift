import FrameCodec
import Testing

@testable import FrameCodecGenerator

@Suite struct ServiceTests {
    private func content(parameter: String = "") throws -> String {
        let methods: [Descriptors.MethodDescriptorProto] = [
            .init(
                name: "Get", inputType: ".s.Ask", outputType: ".s.Answer",
                options: .init(idempotencyLevel: .noSideEffects)),
            .init(name: "Watch", inputType: ".s.Ask", outputType: ".s.Answer", serverStreaming: true),
            .init(
                name: "Put", inputType: ".s.Ask", outputType: ".s.Answer",
                options: .init(idempotencyLevel: .idempotent),
                clientStreaming: true),
            .init(
                name: "Talk", inputType: ".s.Ask", outputType: ".s.Answer", clientStreaming: true,
                serverStreaming: true)
        ]
        let file = File(
            name: "s.proto", package: "s",
            messageType: [MessageType(name: "Ask"), MessageType(name: "Answer")],
            service: [.init(name: "Desk", method: methods)],
            sourceCodeInfo: .init(location: [.init(path: [6, 0, 2, 0], leadingComments: " Gets it.\n")]),
            syntax: "proto3")
        let response = try generate([file], parameter: parameter)
        return response.file.last?.content ?? response.error ?? ""
    }

    @Test(
        "protocol, descriptors, routes and client have the agreed shape",
        arguments: [
            "import FrameCodec\nimport RPC\n",
            "public protocol Desk: RPCService {\n    /// Gets it.\n    func get(_ request: Ask",
            "get(_ request: Ask, context: CallContext) async throws -> Answer\n",
            "func watch(_ request: Ask, responses: ResponseWriter<Answer>, context: CallContext) async throws\n",
            "    func put(_ requests: RequestStream<Ask>, context: CallContext) async throws -> Answer\n",
            "_ requests: RequestStream<Ask>, responses: ResponseWriter<Answer>, context: CallContext",
            "public static let watch = descriptor(\"Watch\", .serverStreaming)\n",
            "(\"Get\", .unary, .noSideEffects)", "(\"Put\", .clientStreaming, .idempotent)",
            "MethodDescriptor(service: \"s.Desk\", method: method, kind: kind, idempotency: idempotency)",
            "public static let all: [MethodDescriptor] = [get, watch, put, talk]",
            ".init(descriptor: get, request: Ask.self, response: Answer.self),",
            "throw RPCError.unimplemented(DeskMethod.talk)",
            "public var fileDescriptor: FileDescriptor? { .s }", "public var methods: [RPCMethod] {",
            ".unary(DeskMethod.get) { try await self.get($0, context: $1) },",
            ".serverStreaming(DeskMethod.watch) { try await self.watch($0, responses: $1, context: $2) },",
            ".clientStreaming(DeskMethod.put) { try await self.put($0, context: $1) },",
            ".bidirectionalStreaming(DeskMethod.talk) {", "public struct DeskClient: Sendable {",
            "public func get(_ request: Ask, options: CallOptions = CallOptions()) async throws -> Answer {\n"
                + "        try await channel.unary(DeskMethod.get, request, options: options)",
            "async throws -> ResponseStream<Answer> {\n        try await channel.serverStreaming(",
            "channel.serverStreaming(DeskMethod.watch, request, options: options)",
        ])
    func shape(_ piece: String) throws {
        let content = try content()
        #expect(content.contains(piece), "\(content)")
    }

    @Test("services=none leaves them out")
    func noServices() throws {
        let content = try content(parameter: "services=none")
        #expect(!content.contains("Desk") && content.contains("struct Ask"))
    }

    @Test("messages=none leaves the descriptor only")
    func descriptorOnly() throws {
        let content = try content(parameter: "messages=none,namespace=:Things")
        #expect(content.contains("FileDescriptor(name:"))
        #expect(!content.contains("struct ") && !content.contains("enum ") && !content.contains("Desk"))
    }

    @Test("no line is longer than 115 columns, except for the descriptor")
    func columns() throws {
        #expect(try content().split(separator: "\n").allSatisfy { $0.count <= 115 })
    }
}
