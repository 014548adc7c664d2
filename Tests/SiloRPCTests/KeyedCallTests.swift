import FrameCodec
import HTTPTransport
import Logging
import NIOPosix
import RPC
import ServiceContextModule
import Storage
import Testing

@testable import SiloRPC

/// Keys and shares around calls of a real server: the answer must not depend on whether a call was decided at once or
/// with a read of the database.
@Suite(.timeLimit(.minutes(5))) struct KeyedCallTests {
    private struct Service: RPCService {
        let name: String
        var methods: [RPCMethod] {
            [
                .unary(KeyedCallTests.method(name, "Now")) { (request: Protobuf.StringValue, context) in
                    guard request.value != "fail" else { throw RPCError(.dataLoss, "as asked") }
                    let principal = context.serviceContext[PrincipalKey.self]
                    return Protobuf.StringValue(value: principal.map { "\($0.organizationID)" } ?? "nobody")
                },
                .unary(KeyedCallTests.method(name, "Later")) { (request: Protobuf.StringValue, context) in
                    await Task.yield()
                    guard request.value != "fail" else { throw RPCError(.dataLoss, "as asked") }
                    return request
                },
            ]
        }
    }

    private static func method(_ service: String, _ name: String) -> MethodDescriptor {
        MethodDescriptor(service: service, method: name, kind: .unary)
    }

    private struct Caller: Sendable {
        let channel: RPCChannel

        func ask(
            _ service: String = "t.Work", _ method: String = "Now", key: String?, _ text: String = "",
            authorization: Bool = false
        ) async -> String {
            var metadata = Metadata()
            if let key {
                metadata.add(authorization ? "authorization" : "x-api-key", (authorization ? "Bearer " : "") + key)
            }
            do {
                let answer: Protobuf.StringValue = try await channel.unary(
                    KeyedCallTests.method(service, method), Protobuf.StringValue(value: text),
                    options: CallOptions(metadata: metadata))
                return answer.value
            } catch {
                return (error as? RPCError).map { "\($0.code)" } ?? "\(error)"
            }
        }
    }

    /// A server with an open service and one that needs the scope `scm:admin`; a key of organization 1 with the usual
    /// scopes.
    private func run(
        maximumRunningCalls: Int = 100, traced: Bool = false, _ body: (Caller, APIKeyStore, String) async throws -> Void
    ) async throws {
        try await SiloTests.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            let store = APIKeyStore(database)
            let (_, key) = try await store.create(organizationID: organization.id)
            let keys = APIKeyInterceptor(
                keys: store, openServices: ["t.Open"], requiredScopes: ["t.Guarded": .admin])
            let share = OrganizationShareInterceptor(maximumRunningCalls: maximumRunningCalls)
            var logger = Logger(label: "test")
            logger.logLevel = .critical
            let trace: [any ServerInterceptor] = [TraceContextInterceptor(startsTraces: traced)]
            let rpc = RPCServer(
                services: ["t.Work", "t.Open", "t.Guarded"].map { Service(name: $0) },
                interceptors: trace + [keys, share], logger: logger)
            let server = try await HTTPServer.start(
                HTTPServerConfiguration(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton,
                logger: logger, service: rpc)
            let channel = try RPCChannel("127.0.0.1:\(server.port)")
            try await body(Caller(channel: channel), store, key)
            await channel.close()
            await server.shutdown(gracePeriod: .seconds(1))
        }
    }

    @Test(arguments: [true, false])
    func `a key is good for its services, remembered or not`(traced: Bool) async throws {
        try await run(traced: traced) { caller, _, key in
            for _ in 0..<3 {
                #expect(await caller.ask(key: key) == "1")
                #expect(await caller.ask(key: key, authorization: true) == "1")
                #expect(await caller.ask("t.Work", "Later", key: key, "x") == "x")
                #expect(await caller.ask("t.Guarded", key: key) == "PERMISSION_DENIED")
                #expect(await caller.ask(key: nil) == "UNAUTHENTICATED")
                #expect(await caller.ask(key: key + "x") == "UNAUTHENTICATED")
            }
        }
    }

    @Test func `an open service needs no key, and a wrong one does no harm`() async throws {
        try await run { caller, _, key in
            for _ in 0..<3 {
                #expect(await caller.ask("t.Open", key: nil) == "nobody")
                #expect(await caller.ask("t.Open", key: key + "x") == "nobody")
                #expect(await caller.ask(key: key + "x") == "UNAUTHENTICATED")
            }
        }
    }

    @Test func `places are given back by calls of every kind and end`() async throws {
        try await run(maximumRunningCalls: 1) { caller, _, key in
            for _ in 0..<3 {
                for method in ["Now", "Later"] {
                    for (text, answer) in [("x", method == "Now" ? "1" : "x"), ("fail", "DATA_LOSS")] {
                        #expect(await caller.ask("t.Work", method, key: key, text) == answer)
                    }
                }
                #expect(await caller.ask("t.Guarded", key: key) == "PERMISSION_DENIED")
            }
        }
    }
}
