import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import RPC
import Testing

@testable import Operations

@Suite(.timeLimit(.minutes(5))) struct ReflectionTests {
    typealias Request = GRPCReflection.ServerReflectionRequest
    typealias Answer = GRPCReflection.ServerReflectionResponse

    static let served: [any RPCService] = [HealthService(HealthRegistry()), Administration()]

    /// Asks over a real server, all questions on one stream.
    private func ask(_ requests: [Request], version: Int = 0) async throws -> [Answer] {
        let reflection = try ReflectionService(Self.served)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let rpc = RPCServer(services: [reflection], logger: logger)
        let http = try await HTTPServer.start(
            HTTPServerConfiguration(), group: MultiThreadedEventLoopGroup.singleton, logger: logger,
            handler: { await rpc.handle($0) }
        )
        let configuration = RPCChannel.Configuration(host: "127.0.0.1", port: http.port)
        let channel = RPCChannel(configuration, group: MultiThreadedEventLoopGroup.singleton)
        let method = MethodDescriptor(
            service: ReflectionService.serviceNames[version], method: "ServerReflectionInfo",
            kind: .bidirectionalStreaming
        )
        var answers: [Answer] = []
        var failure: (any Error)?
        do {
            let (writer, stream): (RequestWriter<Request>, ResponseStream<Answer>) =
                try await channel.bidirectionalStreaming(method)
            for request in requests { try await writer.send(request) }
            await writer.finish()
            for try await answer in stream { answers.append(answer) }
        } catch {
            failure = error
        }
        await channel.close()
        await http.shutdown(gracePeriod: .zero)
        if let failure { throw failure }
        return answers
    }

    private func names(_ answer: Answer?) throws -> [String] {
        guard case .fileDescriptorResponse(let files)? = answer?.messageResponse else { return [] }
        return try files.fileDescriptorProto.map { bytes in
            // Field 1 of FileDescriptorProto is its name.
            var name = ""
            try bytes.withUnsafeBytes { memory in
                var reader = WireReader(memory)
                if try reader.nextTag() == 10 {
                    name = String(decoding: try reader.readLengthDelimited(), as: UTF8.self)
                }
            }
            return name
        }
    }

    @Test("services, in both versions", arguments: [0, 1])
    func services(version: Int) async throws {
        let answers = try await ask([Request(host: "here", messageRequest: .listServices(""))], version: version)
        let answer = try #require(answers.first)
        #expect(answer.validHost == "here")
        #expect(answer.originalRequest == Request(host: "here", messageRequest: .listServices("")))
        #expect(answer.messageResponse == .listServicesResponse(.init(service: [
            .init(name: "grpc.health.v1.Health"), .init(name: "grpc.reflection.v1.ServerReflection"),
            .init(name: "grpc.reflection.v1alpha.ServerReflection"), .init(name: "rpc.admin.v1.AdminService"),
        ])))
    }

    @Test("a file comes first, then what it imports, once on a stream")
    func files() async throws {
        let answers = try await ask([
            Request(messageRequest: .fileByFilename("rpc/admin/v1/admin.proto")),
            Request(messageRequest: .fileContainingSymbol("rpc.admin.v1.AdminService")),
            Request(messageRequest: .fileByFilename("google/protobuf/duration.proto")),
        ])
        try #require(answers.count == 3)
        #expect(try names(answers[0]) == ["rpc/admin/v1/admin.proto", "google/protobuf/duration.proto"])
        #expect(try names(answers[1]) == ["rpc/admin/v1/admin.proto"])
        #expect(try names(answers[2]) == ["google/protobuf/duration.proto"])
    }

    @Test("every kind of symbol is found", arguments: [
        "rpc.admin.v1.Stream", ".rpc.admin.v1.Stream", "rpc.admin.v1.Stream.path", "rpc.admin.v1.Stream.HandlerState",
        // An enum's values stand beside it.
            "rpc.admin.v1.Stream.HANDLER_STATE_RUNNING", "rpc.admin.v1.AdminService",
            "rpc.admin.v1.AdminService.ListMethods"
    ])
    func symbols(symbol: String) async throws {
        let answers = try await ask([Request(messageRequest: .fileContainingSymbol(symbol))])
        #expect(try names(answers.first).first == "rpc/admin/v1/admin.proto")
    }

    @Test("what is not there is NOT_FOUND in the answer, and the stream goes on")
    func notFound() async throws {
        let answers = try await ask([
            Request(messageRequest: .fileByFilename("no.proto")),
            Request(messageRequest: .fileContainingSymbol("no.Such")),
            Request(
                messageRequest: .fileContainingExtension(
                    .init(containingType: "rpc.admin.v1.Stream", extensionNumber: 9))),
            Request(messageRequest: .allExtensionNumbersOfType("no.Such")), Request(),
            Request(messageRequest: .allExtensionNumbersOfType(".rpc.admin.v1.Stream")),
        ])
        let codes = answers.map { answer -> Int32 in
            if case .errorResponse(let error)? = answer.messageResponse { error.errorCode } else { 0 }
        }
        #expect(codes == [5, 5, 5, 5, 3, 0])
        #expect(
            answers.last?.messageResponse == .allExtensionNumbersResponse(.init(baseTypeName: "rpc.admin.v1.Stream")))
    }

    @Test("a question of more than 16 KiB is RESOURCE_EXHAUSTED and names the limit; one of 16 KiB is answered")
    func limit() async throws {
        func request(_ byteCount: Int) -> Request {
            // Tag, and a length of two bytes.
            Request(messageRequest: .fileByFilename(String(repeating: "x", count: byteCount - 3)))
        }
        #expect(request(16 * 1024).encodedByteCount == 16 * 1024)
        #expect(try await ask([request(16 * 1024)]).count == 1)
        let error = await #expect(throws: RPCError.self) { try await ask([request(16 * 1024 + 1)]) }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message.contains("maximumRequestByteCount (16384)") == true)
    }

    @Test("extensions are found by type and number")
    func extensions() throws {
        // FileDescriptorProto: name "e.proto" (1), package "p" (2), extension (7) { name "x" (1), extendee ".p.M" (2),
        // number 100 (3) }.
        let field: [UInt8] = [0x0A, 1, 0x78, 0x12, 4] + Array(".p.M".utf8) + [0x18, 100]
        let bytes: [UInt8] = [0x0A, 7] + Array("e.proto".utf8) + [0x12, 1, 0x70, 0x3A, UInt8(field.count)] + field
        let symbols = try DescriptorSymbols(file: bytes)
        #expect(symbols.names == ["p.x"])
        #expect(symbols.extensions == [.init(type: "p.M", number: 100)])
        let contract = try ContractFiles([], additional: [FileDescriptor(name: "e.proto", serializedBytes: bytes)])
        #expect(contract.file(extending: "p.M", number: 100)?.name == "e.proto")
        #expect(contract.extensionNumbers(of: "p.M") == [100])
        for count in 1..<bytes.count where (try? DescriptorSymbols(file: Array(bytes.prefix(count)))) != nil {
            // A cut between two fields is a shorter file; anywhere else it is an error. Never a trap.
            #expect([9, 12].contains(count))
        }
    }

    @Test("the descriptor set holds every file once, imported ones first")
    func descriptorSet() throws {
        let contract = try ContractFiles(Self.served, additional: ReflectionService.files)
        #expect(contract.files.map(\.name) == [
            "grpc/health/v1/health.proto", "google/protobuf/duration.proto", "rpc/admin/v1/admin.proto",
            "grpc/reflection/v1/reflection.proto", "grpc/reflection/v1alpha/reflection.proto",
        ])
        var rest = contract.descriptorSet[...]
        for file in contract.files {
            #expect(rest.popFirst() == 0x0A)
            var (length, shift) = (0, 0)
            while let byte = rest.popFirst() {
                length |= Int(byte & 0x7F) << shift
                shift += 7
                if byte < 0x80 { break }
            }
            #expect(length == file.serializedBytes.count)
            #expect(Array(rest.prefix(length)) == file.serializedBytes)
            rest = rest.dropFirst(length)
        }
        #expect(rest.isEmpty)
    }
}
