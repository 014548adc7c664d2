import FrameCodec
import NIOCore
import RPC
import SiloTestKit
import Testing

@testable import SiloRPC

/// Silo.md 10.1: what the served side answers to what should not be.
@Suite(.timeLimit(.minutes(5))) struct EndpointTests {
    private func answer(_ silos: TestSilos, _ method: SiloMethod, _ body: [UInt8]) async throws -> [UInt8] {
        let call = SiloCall(
            method: method, destination: .cell(try CellName("us")), body: body, deadline: .now() + .seconds(30))
        return Array(buffer: try await silos.network.transport(from: .control).send(call))
    }

    private func status(_ body: () async throws -> [UInt8]) async -> StatusCode? {
        do { _ = try await body() } catch let error as RPCError { return error.code } catch { return nil }
        return .ok
    }

    @Test("bytes that are no request are refused with what is wrong", arguments: [
        [0x08], [0xFF], [0x12, 0x05, 0x61], [0x0A, 0x01, 0x61], Array("{\"organizationId\": 1}".utf8),
    ] as [[UInt8]])
    func malformed(_ body: [UInt8]) async throws {
        try await TestSilos.withNotes(.control) { silos in
            _ = try await silos.makeOrganization("one")
            let code = await status { try await answer(silos, NotesServiceMethod.get, body) }
            #expect(code == .invalidArgument)
        }
    }

    @Test("no bytes are a request without arguments")
    func empty() async throws {
        try await TestSilos.withNotes(.control) { silos in
            #expect(await status { try await answer(silos, NotesServiceMethod.get, []) } == .invalidArgument)
            #expect(await status { try await answer(silos, NotesServiceMethod.put, []) } == .invalidArgument)
        }
    }

    @Test("a method or a service that is not there is unimplemented")
    func unknown() async throws {
        try await TestSilos.withNotes(.control) { silos in
            for descriptor in [
                MethodDescriptor(service: "silo.test.v1.NotesService", method: "Eat", kind: .unary),
                MethodDescriptor(service: "silo.test.v1.Nothing", method: "Get", kind: .unary),
            ] {
                let method = SiloMethod(descriptor, serviceKey: "notes", home: .cell)
                #expect(await status { try await answer(silos, method, []) } == .unimplemented)
            }
        }
    }

    @Test("an answer without a note, and one with")
    func answers() async throws {
        try await TestSilos.withNotes(.control) { silos in
            let id = try await silos.makeOrganization("one").organizationID
            let request = GetNoteRequest(organizationID: id).serializedBytes()
            let none = try GetNoteResponse(serializedBytes: try await answer(silos, NotesServiceMethod.get, request))
            #expect(none.note == nil)
            let note = try await silos.notes().put(note: Note(organizationID: id, text: "a", stars: 2), labels: [])
            let one = try GetNoteResponse(serializedBytes: try await answer(silos, NotesServiceMethod.get, request))
            #expect(one.note == note)
        }
    }
}
