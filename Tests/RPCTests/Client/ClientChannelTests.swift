import FrameCodec
import HTTPTransport
import NIOCore
import RPC
import ScriptedPeer
import Synchronization
import Testing

// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientChannelTests {
    private static let hi = Scripted.http2 { peer, request, _ in
        try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
    }

    /// A port where nobody listens.
    private static func closedPort() async throws -> Int { try await ScriptedPeer.with({ _, _ in }) { $0.port } }

    private final class Names: NameResolver {
        let answers: Mutex<[[SocketAddress]]>
        init(_ answers: [[SocketAddress]]) { self.answers = Mutex(answers) }
        func resolve() async throws -> [SocketAddress] {
            answers.withLock { $0.count > 1 ? $0.removeFirst() : $0.first ?? [] }
        }
    }

    private static func local(_ port: Int) throws -> SocketAddress {
        try SocketAddress(ipAddress: "127.0.0.1", port: port)
    }

    @Test("fail fast: UNAVAILABLE that names the address and the reason")
    func failFast() async throws {
        let port = try await Self.closedPort()
        let channel = try RPCChannel("127.0.0.1:\(port)")
        let error = await channel.ask().error
        #expect(error?.code == .unavailable)
        #expect(error?.message.contains("127.0.0.1:\(port)") == true)
        #expect(channel.connectivityState == .transientFailure)
        await channel.close()
    }

    @Test("wait for ready: a call waits until a server is there; its deadline still counts")
    func waitForReady() async throws {
        let closed = try await Self.closedPort()
        try await ScriptedPeer.with(Self.hi) { peer in
            let names = Names([[try Self.local(closed)], [try Self.local(closed)], [try Self.local(peer.port)]])
            var configuration = RPCChannel.Configuration(host: "name", port: 1)
            configuration.resolver = names
            configuration.backoff.initial = .milliseconds(10)
            configuration.minimumResolutionInterval = .zero
            let channel = RPCChannel(configuration)
            #expect(await channel.ask(options: CallOptions(waitsForReady: true)).value == "hi")
            await channel.close()
        }
        let never = try RPCChannel("127.0.0.1:\(closed)")
        let result = await never.ask(options: CallOptions(timeout: .seconds(3), waitsForReady: true))
        #expect(result.code == .deadlineExceeded)
        #expect(result.error?.message.contains("\(closed)") == true)
        await never.close()
    }

    @Test("pick first takes the first address that answers")
    func pickFirst() async throws {
        let closed = try await Self.closedPort()
        try await ScriptedPeer.with(Self.hi) { peer in
            let channel = try RPCChannel("ipv4:127.0.0.1:\(closed),127.0.0.1:\(peer.port)")
            for _ in 0..<3 { #expect(await channel.ask().value == "hi") }
            #expect(peer.connectionCount == 1)
            await channel.close()
        }
    }

    @Test("round robin uses all addresses in turn, and goes on without one that fails")
    func roundRobin() async throws {
        let closed = try await Self.closedPort()
        try await ScriptedPeer.with(Self.hi) { one in
            try await ScriptedPeer.with(Self.hi) { two in
                let target = try ConnectionTarget(
                    "ipv4:127.0.0.1:\(one.port),127.0.0.1:\(closed),127.0.0.1:\(two.port)")
                var configuration = RPCChannel.Configuration(target: target)
                configuration.loadBalancing = .roundRobin
                let channel = RPCChannel(configuration)
                while one.connectionCount == 0 || two.connectionCount == 0 {
                    #expect(await channel.ask().value == "hi")
                }
                await channel.close()
            }
        }
    }

    @Test("a name is looked up: localhost, by both policies", arguments: [LoadBalancing.pickFirst, .roundRobin])
    func hostName(balancing: LoadBalancing) async throws {
        // It serves 127.0.0.1 only; where the name has ::1 too, that is refused.
        try await ScriptedPeer.with(Self.hi) { peer in
            for text in ["localhost:\(peer.port)", "dns:localhost:\(peer.port)"] {
                var configuration = RPCChannel.Configuration(target: try ConnectionTarget(text))
                configuration.loadBalancing = balancing
                let channel = RPCChannel(configuration)
                for _ in 0..<3 {
                    #expect(await channel.ask(options: CallOptions(waitsForReady: true)).value == "hi")
                }
                await channel.close()
            }
        }
    }

    @Test(
        "H2c: after GOAWAY the name is looked up again, and calls go where it leads now; none is lost",
        arguments: [LoadBalancing.pickFirst, .roundRobin])
    func movedName(balancing: LoadBalancing) async throws {
        let leaving = Scripted.http2 { peer, request, _ in
            try await peer.send(HTTP2Peer.goAway(last: request.stream))
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
        }
        try await ScriptedPeer.with(leaving) { old in
            try await ScriptedPeer.with(Self.hi) { new in
                var configuration = RPCChannel.Configuration(host: "name", port: 1)
                configuration.resolver = Names([[try Self.local(old.port)], [try Self.local(new.port)]])
                configuration.minimumResolutionInterval = .zero
                configuration.loadBalancing = balancing
                let channel = RPCChannel(configuration)
                for _ in 0..<5 { #expect(await channel.ask().value == "hi") }
                #expect(old.connectionCount == 1)
                #expect(new.connectionCount == 1)
                await channel.close()
            }
        }
    }

    @Test("H2e: a further connection is opened when MAX_CONCURRENT_STREAMS is reached, and no more than allowed")
    func furtherConnections() async throws {
        let started = Log<Int>()
        let script: ScriptedPeer.Script = { connection, number in
            guard let peer = try await HTTP2Peer(connection, settings: [(3, 1)]) else { return }
            while let request = try await peer.nextRequest() {
                await started.add(number)
                if await started.count <= 2 {
                    while await started.count < 2 { try await Task.sleep(for: .milliseconds(2)) }
                }
                try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            }
        }
        try await Scripted.run(script, configure: { $0.maximumConnectionsPerAddress = 2 }) { channel, peer in
            await withTaskGroup(of: String?.self) { group in
                for _ in 0..<20 { group.addTask { await channel.ask().value } }
                for await answer in group { #expect(answer == "hi") }
            }
            #expect(peer.connectionCount == 2)
        }
    }

    @Test("a further connection that failed is tried again while callers wait, though nothing else happens")
    func furtherConnectionFails() async throws {
        let started = Log<Int>()
        let answered = Log<Int>()
        let script: ScriptedPeer.Script = { connection, number in
            // The second one ends before its SETTINGS.
            guard number != 2, let peer = try await HTTP2Peer(connection, settings: [(3, 1)]) else { return }
            while let request = try await peer.nextRequest() {
                await started.add(number)
                while number == 1, await answered.count == 0 { try await Task.sleep(for: .milliseconds(2)) }
                try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            }
        }
        try await Scripted.run(script) { channel, peer in
            async let first = channel.ask()
            while await started.count == 0 { try await Task.sleep(for: .milliseconds(2)) }
            #expect(await channel.ask().value == "hi")
            await answered.add(1)
            #expect(await first.value == "hi")
            #expect(peer.connectionCount == 3)
        }
    }

    @Test("HTTP/1.1: calls at once have connections of their own, later calls use them again")
    func keepAlive() async throws {
        let started = Log<Int>()
        let script: ScriptedPeer.Script = { connection, _ in
            while try await connection.readHTTP1Request() != nil {
                await started.add(1)
                while await started.count < 3 { try await Task.sleep(for: .milliseconds(2)) }
                try await connection.send(
                    "HTTP/1.1 200 OK\r\ncontent-type: application/grpc-web\r\ncontent-length: 0\r\ngrpc-status: "
                        + "5\r\n\r\n"
                )
            }
        }
        try await Scripted.run(script, wire: .grpcWebHTTP1) { channel, peer in
            await withTaskGroup(of: StatusCode.self) { group in
                for _ in 0..<3 { group.addTask { await channel.ask().code } }
                for await code in group { #expect(code == .notFound) }
            }
            for _ in 0..<5 { #expect(await channel.ask().code == .notFound) }
            #expect(peer.connectionCount == 3)
        }
    }

    @Test("a Unix socket is a target")
    func unixSocket() async throws {
        let path = "/tmp/rpc-client-test-\(UInt32.random(in: 0 ... .max)).sock"
        try await ScriptedPeer.with(Self.hi, unixPath: path) { _ in
            let channel = try RPCChannel("unix:\(path)")
            #expect(await channel.ask().value == "hi")
            await channel.close()
        }
    }

    @Test("the connectivity state can be watched")
    func states() async throws {
        try await Scripted.run(Self.hi) { channel, _ in
            var seen: [ConnectivityState] = []
            let states = channel.connectivityStates
            channel.connect()
            for await state in states {
                seen.append(state)
                if state == .ready { break }
            }
            #expect(seen.first == .idle)
            #expect(seen.dropFirst().allSatisfy { $0 == .connecting || $0 == .ready })
        }
    }

    @Test("a connection that is lost is replaced; the call on it is UNAVAILABLE")
    func lost() async throws {
        let script: ScriptedPeer.Script = { connection, number in
            guard let peer = try await HTTP2Peer(connection), let request = try await peer.nextRequest(), number > 1
            else { return }
            try await peer.respond(request.stream, Scripted.head, body: Scripted.hi, trailers: Scripted.ok)
            try await peer.readToEnd()
        }
        try await Scripted.run(script) { channel, _ in
            #expect(await channel.ask().code == .unavailable)
            #expect(await channel.ask().value == "hi")
        }
    }

    @Test("targets that cannot be understood say why", arguments: [
            "", "host", "host:0", "host:99999", "host:x", "::1:80", "[::1:80", "unix:", "ipv4:", "ipv4:name:1",
            "dns://8.8.8.8/name:1",
        "a b:80", "https://host:x",
    ])
    func badTargets(text: String) {
        let error = #expect(throws: ConnectionTargetError.self) { _ = try RPCChannel(text) }
        #expect(error?.description.contains("\"\(text)\"") == true)
    }

    @Test("service config: gRPC's JSON")
    func serviceConfiguration() throws {
        let json = """
            {"loadBalancingConfig": [{"round_robin": {}}], "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5},
             "methodConfig": [{"name": [{"service": "t.S", "method": "M"}, {}], "timeout": "1.5s", "waitForReady": true,
               "retryPolicy": {"maxAttempts": 9, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
                 "retryableStatusCodes": ["UNAVAILABLE", 8]}, "unknown": []}]}
            """
        let service = try ServiceConfiguration(json: json)
        #expect(service.loadBalancing == .roundRobin)
        #expect(service.retryThrottling == RetryThrottling(maximumTokens: 10, tokenRatio: 0.5))
        #expect(service.methods == [
            MethodConfiguration(
                names: [.init(service: "t.S", method: "M"), .init()], timeout: .milliseconds(1500), waitsForReady: true,
                retry: RetryPolicy(
                    maximumAttempts: 5, initialBackoff: .milliseconds(100), maximumBackoff: .seconds(1),
                    retryableCodes: [.unavailable, .resourceExhausted]))
        ])
    }

    @Test("service config: a wrong value is named", arguments: [
        ("[]", "JSON object"), (#"{"methodConfig":[{"timeout":"1"}]}"#, "methodConfig[0].timeout"),
        (#"{"methodConfig":[{"retryPolicy":{"maxAttempts":1}}]}"#, "backoffMultiplier"),
        (#"{"retryThrottling":{"maxTokens":0,"tokenRatio":1}}"#, "maxTokens"),
    ])
    func badServiceConfiguration(json: String, place: String) {
        let error = #expect(throws: ServiceConfigurationError.self) { _ = try ServiceConfiguration(json: json) }
        #expect(error?.description.contains(place) == true)
    }
}
