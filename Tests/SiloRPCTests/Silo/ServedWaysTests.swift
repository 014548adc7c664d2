import FrameCodec
import HTTPTransport
import Logging
import NIOCore
import NIOPosix
import RPC
import SiloTestKit
import Testing

@testable import SiloRPC

/// A served call comes as bytes or from the RPC server, and goes the short way to its service or the long one, with a
/// stored answer and the operator's limit: all are refused alike.
@Suite(.timeLimit(.minutes(5))) struct ServedWaysTests {
    enum Way: CaseIterable { case bytes, server }

    /// A silo that serves notes, and how to call it.
    struct Served {
        let silos: TestSilos
        let node: SiloNode
        let way: Way
        let dispatch: NotesServiceDispatch

        /// - Parameter fields: metadata of the call.
        /// - Returns: the answer's bytes.
        /// - Throws: `RPCError`, as another silo gets it.
        func call(
            _ method: SiloMethod, _ request: some Message, _ fields: [String: String] = [:]
        ) async throws -> [UInt8] {
            switch way {
            case .bytes: try await answer(method, request.serializedBytes(), Self.metadata(fields))
            case .server: try await overRPC(method, request.serializedBytes(), Self.metadata(fields))
            }
        }

        private static func metadata(_ fields: [String: String]) -> Metadata {
            var metadata = Metadata()
            for (name, value) in fields { metadata.add(name, value) }
            return metadata
        }

        private func answer(_ method: SiloMethod, _ body: [UInt8], _ metadata: Metadata) async throws -> [UInt8] {
            let handler = try #require(dispatch.handlers.first { $0.method == method })
            do {
                return try await handler.answer(SiloInboundCall(method: method, metadata: metadata), body)
            } catch let error as SiloError {
                throw error.rpcError
            }
        }

        private func overRPC(_ method: SiloMethod, _ body: [UInt8], _ metadata: Metadata) async throws -> [UInt8] {
            var quiet = Logger(label: "test")
            quiet.logLevel = .critical
            let rpc = RPCServer(
                services: [dispatch],
                interceptors: [SiloErrorInterceptor(services: [method.descriptor.service], logger: quiet)],
                logger: quiet)
            let server = try await HTTPServer.start(
                HTTPServerConfiguration(host: "127.0.0.1", port: 0), group: MultiThreadedEventLoopGroup.singleton,
                logger: quiet, service: rpc)
            let channel = try RPCChannel("127.0.0.1:\(server.port)")
            let result: Result<[UInt8], any Error>
            do {
                let answer = try await channel.unary(
                    method.descriptor, bytes: ByteBuffer(bytes: body), options: CallOptions(metadata: metadata))
                result = .success(Array(answer.readableBytesView))
            } catch {
                result = .failure(error)
            }
            await channel.close()
            await server.shutdown(gracePeriod: .seconds(1))
            return try result.get()
        }
    }

    /// Notes served by the cell `us`, which has the organization `american`.
    private func withCell(_ way: Way, _ body: (Served, Int64) async throws -> Void) async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("american", in: "us").organizationID
            try await body(try served(by: silos.cell("us"), silos, way), id)
        }
    }

    private func served(by node: SiloNode, _ silos: TestSilos, _ way: Way) throws -> Served {
        Served(
            silos: silos, node: node, way: way,
            dispatch: NotesServiceDispatch(NotesStore(database: node.database), silo: node.silo))
    }

    private func expect(
        _ expected: RPCError, _ what: String, _ body: () async throws -> [UInt8]
    ) async {
        let error = await #expect(throws: RPCError.self, "\(what)") { try await body() }
        #expect(error?.code == expected.code, "\(what)")
        #expect(error?.message == expected.message, "\(what)")
    }

    @Test("what does not belong here is refused, with a key and a limit or without", arguments: Way.allCases)
    func refusals(_ way: Way) async throws {
        try await withCell(way) { served, id in
            let us = try CellName("us")
            let other = try await served.silos.makeOrganization("european", in: "eu").organizationID
            let control = try self.served(by: served.silos.control(), served.silos, way)
            let missing = SiloError.validation(
                code: "MISSING_ARGUMENT", message: "the organization's id is missing").rpcError
            let viewer = SiloError.validation(
                code: "MALFORMED_VIEWER", message: "the viewer is not KIND;organization=ID;user=ID").rpcError
            func put(_ id: Int64) -> PutNoteRequest { PutNoteRequest(note: Note(organizationID: id, text: "a")) }
            for fields in [[:], [SiloField.idempotencyKey: "k"]] {
                for limit in [nil, Duration.seconds(600)] {
                    served.silos.network.switches.set("notes.Put", try limit.map { try .init(timeout: $0) })
                    let what = "\(fields) \(limit as Any)"
                    let elsewhere = SiloError.wrongCell(expected: us, actual: try CellName("eu")).rpcError
                    await expect(elsewhere, what) { try await served.call(NotesServiceMethod.put, put(other), fields) }
                    let nowhere = SiloError.wrongCell(expected: us, actual: nil).rpcError
                    await expect(nowhere, what) { try await served.call(NotesServiceMethod.put, put(555), fields) }
                    let wrongSilo = SiloError.wrongSilo(method: "notes.Put", asked: .control).rpcError
                    await expect(wrongSilo, what) { try await control.call(NotesServiceMethod.put, put(id), fields) }
                    await expect(missing, what) { try await served.call(NotesServiceMethod.put, put(0), fields) }
                    let unread = fields.merging([SiloField.viewer: "user;user=x"]) { $1 }
                    await expect(viewer, what) { try await served.call(NotesServiceMethod.put, put(id), unread) }
                    // Where it belongs is found out before who acts.
                    await expect(elsewhere, what) { try await served.call(NotesServiceMethod.put, put(other), unread) }
                }
            }
            #expect(try await served.silos.noteCount(served.node) == 0)
        }
    }

    @Test("a method that is off is refused, by the operator and by its contract", arguments: Way.allCases)
    func off(_ way: Way) async throws {
        try await withCell(way) { served, id in
            let request = PutNoteRequest(note: Note(organizationID: id))
            served.silos.network.switches.set("notes", try .init(disabledReason: "too many"))
            let off = SiloError.disabled(method: "notes.Put", reason: "too many").rpcError
            await expect(off, "by name") { try await served.call(NotesServiceMethod.put, request) }
            served.silos.network.switches.set("notes", nil)
            let declared = SiloError.disabled(method: "notes.Burn", reason: "its contract says so").rpcError
            await expect(declared, "declared") {
                try await served.call(NotesServiceMethod.burn, BurnNotesRequest(organizationID: id))
            }
            _ = try await served.call(NotesServiceMethod.put, request)
            served.silos.network.switches.replace(["notes.Put": try .init(disabledReason: "again")])
            let again = SiloError.disabled(method: "notes.Put", reason: "again").rpcError
            await expect(again, "replaced") { try await served.call(NotesServiceMethod.put, request) }
            served.silos.network.switches.replace([:])
            _ = try await served.call(NotesServiceMethod.put, request)
        }
    }

    @Test("a key's first answer is its answer, and for one request only", arguments: Way.allCases)
    func keys(_ way: Way) async throws {
        try await withCell(way) { served, id in
            func put(_ text: String, _ key: String) async throws -> [UInt8] {
                try await served.call(
                    NotesServiceMethod.put, PutNoteRequest(note: Note(organizationID: id, text: text)),
                    [SiloField.idempotencyKey: key, SiloField.viewer: "user;user=7"])
            }
            let first = try await put("who", "k1")
            #expect(try Note(serializedBytes: first).text == "who user;user=7")
            #expect(try await put("who", "k1") == first)
            #expect(try await served.silos.noteCount(served.node) == 1)
            let used = SiloError.validation(
                code: "idempotency-key", message: "this idempotency key was used for another request").rpcError
            await expect(used, "another request") { try await put("b", "k1") }
            let long = SiloError.validation(
                code: "idempotency-key", message: "an idempotency key has 1 to 48 bytes").rpcError
            await expect(long, "49 bytes") { try await put("b", String(repeating: "k", count: 49)) }
            // A method that is only read has no use for one.
            for _ in 0..<2 {
                _ = try await served.call(
                    NotesServiceMethod.get, GetNoteRequest(organizationID: id), [SiloField.idempotencyKey: "k1"])
            }
        }
    }

    @Test("the operator's limit ends the service", arguments: Way.allCases)
    func limit(_ way: Way) async throws {
        try await withCell(way) { served, id in
            let slow = PutNoteRequest(note: Note(organizationID: id, text: "slow"))
            served.silos.network.switches.set("notes.Put", try .init(timeout: .milliseconds(1)))
            let late = RPCError(.deadlineExceeded, "notes.Put took longer than its timeout here, 0.001 seconds")
            for fields in [[:], [SiloField.idempotencyKey: "k"]] {
                await expect(late, "\(fields)") { try await served.call(NotesServiceMethod.put, slow, fields) }
            }
            served.silos.network.switches.set("notes.Put", nil)
            let quick = PutNoteRequest(note: Note(organizationID: id, text: "who"))
            let answer = try await served.call(NotesServiceMethod.put, quick)
            #expect(try Note(serializedBytes: answer).text == "who unknown", "nobody said who")
        }
    }
}
