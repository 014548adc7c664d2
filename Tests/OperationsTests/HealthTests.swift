import FrameCodec
import Foundation
import RPC
import Synchronization
import Testing

@testable import Operations

@Suite(.timeLimit(.minutes(5))) struct HealthTests {
    typealias Request = GRPCHealth.HealthCheckRequest
    typealias Response = GRPCHealth.HealthCheckResponse

    @Test("Check: known services, the whole server, NOT_FOUND", arguments: RPCChannel.Wire.allCases)
    func check(wire: RPCChannel.Wire) async throws {
        try await OperatedServer.run { server in
            try await server.withChannel(wire) { channel in
                let client = HealthClient(channel: channel)
                let overall = try await client.check(Request())
                #expect(overall.status == .serving)
                #expect(try await client.check(Request(service: WorkService.name)).status == .serving)
                server.health.set(.notServing, for: WorkService.name)
                #expect(try await client.check(Request(service: WorkService.name)).status == .notServing)
                #expect(try await client.check(Request()).status == .serving)
                let error = await #expect(throws: RPCError.self) { try await client.check(Request(service: "no.Such")) }
                #expect(error?.code == .notFound)
            }
        }
    }

    @Test("List: every service; too many are RESOURCE_EXHAUSTED")
    func list() async throws {
        try await OperatedServer.run { server in
            try await server.withChannel { channel in
                let client = HealthClient(channel: channel)
                let statuses = try await client.list(GRPCHealth.HealthListRequest()).statuses
                #expect(statuses.mapValues(\.status) == ["": .serving, WorkService.name: .serving])
                for number in 0..<99 { server.health.set(.serving, for: "service.\(number)") }
                let error = await #expect(throws: RPCError.self) {
                    try await client.list(GRPCHealth.HealthListRequest())
                }
                #expect(error?.code == .resourceExhausted)
            }
        }
    }

    @Test("Watch: now and after every change, unknown services too, never the same twice")
    func watch() async throws {
        try await OperatedServer.run { server in
            try await server.withChannel { channel in
                let client = HealthClient(channel: channel)
                let stream = try await client.watch(Request(service: "later.Service"))
                var states = stream.makeAsyncIterator()
                #expect(try await states.next()?.status == .serviceUnknown)
                server.health.set(.serving, for: "other.Service")
                server.health.set(.notServing, for: "later.Service")
                #expect(try await states.next()?.status == .notServing)
                server.health.set(.notServing, for: "later.Service")
                server.health.set(.serving, for: "later.Service")
                #expect(try await states.next()?.status == .serving)
                server.health.remove("later.Service")
                #expect(try await states.next()?.status == .serviceUnknown)
            }
            #expect(await eventually { server.health.watcherCount == 0 }, "a client that left is forgotten")
        }
    }

    @Test("draining: watchers see NOT_SERVING, then their streams end; sets do not show")
    func drain() async throws {
        try await OperatedServer.run { server in
            try await server.withChannel { channel in
                let client = HealthClient(channel: channel)
                var states = try await client.watch(Request()).makeAsyncIterator()
                #expect(try await states.next()?.status == .serving)
                #expect(server.health.isReady)
                server.health.beginDrain()
                #expect(!server.health.isReady)
                #expect(try await states.next()?.status == .notServing)
                server.health.set(.serving)
                #expect(try await client.check(Request()).status == .notServing)
                server.health.close()
                let error = await #expect(throws: RPCError.self) { while try await states.next() != nil {} }
                #expect(error?.code == .unavailable)
            }
        }
    }

    @Test("the number of watches is bounded, and the error names the limit")
    func watchLimit() async throws {
        let registry = HealthRegistry(maximumWatchers: 2)
        let first = try registry.watch("")
        let second = try registry.watch("")
        let error = #expect(throws: RPCError.self) { try registry.watch("") }
        #expect(error?.code == .resourceExhausted)
        #expect(error?.message.contains("maximumWatchers (2)") == true)
        registry.close()
        for await _ in first {}
        for await _ in second {}
        #expect(registry.watcherCount == 0)
    }
    /// Both need the reader's internal lock and the registry's: in opposite orders they would wait for each other for
    /// ever. On threads of their own, so that the test ends even so.
    @Test("watchers that are cancelled while the state changes hold nobody up")
    func cancelledWatchers() async throws {
        let registry = HealthRegistry(maximumWatchers: .max)
        let progress = Progress()
        Thread.detachNewThread {
            while !progress.hasCancelledAll.load(ordering: .relaxed) { registry.set(.serving) }
            progress.hasStoppedSetting.store(true, ordering: .relaxed)
        }
        Thread.detachNewThread {
            for number in 1...200 {
                guard let states = try? registry.watch(HealthRegistry.wholeServer) else { return }
                let reader = Task {
                    for await _ in states { progress.lastRead.store(number, ordering: .relaxed) }
                }
                while progress.lastRead.load(ordering: .relaxed) < number { sched_yield() }
                reader.cancel()
            }
            progress.hasCancelledAll.store(true, ordering: .relaxed)
        }
        #expect(await eventually { progress.hasStoppedSetting.load(ordering: .relaxed) })
        #expect(await eventually { registry.watcherCount == 0 })
    }

    private final class Progress: Sendable {
        let lastRead = Atomic(0)
        let hasCancelledAll = Atomic(false)
        let hasStoppedSetting = Atomic(false)
    }
}
