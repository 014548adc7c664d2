import NIOCore
import ScriptedPeer
import Testing

@testable import HTTPTransport

// One after the other: all at once would need more sockets and threads than a small machine has.
@Suite(.serialized, .timeLimit(.minutes(5))) struct ClientGoAwayTests {
    /// The server takes one request at a time, says GOAWAY while others wait inside of the client, and answers the one
    /// that it has when it is told to.
    @Test("H2c: requests that wait inside a connection are refused when GOAWAY comes, before the running one ends")
    func waitingRequests() async throws {
        let haveQueued = Gate()
        let mayAnswer = Gate()
        let script: ScriptedPeer.Script = { connection, _ in
            guard let peer = try await HTTP2Peer(connection, settings: [(3, 1)]) else { return }
            guard let first = try await peer.nextRequest() else { return }
            await haveQueued.wait()
            try await peer.send(HTTP2Peer.goAway(last: first.stream))
            await mayAnswer.wait()
            try await peer.respond(first.stream, [(":status", "200")], body: [7])
            try await peer.readToEnd()
        }
        try await ScriptedPeer.with(script) { peer in
            let client = try await HTTPClientConnection.connect(host: "127.0.0.1", port: peer.port, group: testGroup)
            try await client.waitUntilReady(timeout: .seconds(60))
            let first = try await client.start(HTTPRequestHead(path: "/first"))
            first.finish()
            var waiting: [HTTPClientExchange] = []
            for number in 0..<20 {
                let exchange = try await client.start(HTTPRequestHead(path: "/\(number)"))
                exchange.enqueueWhole(ByteBuffer(repeating: 1, count: 1_000))
                waiting.append(exchange)
            }
            haveQueued.open()
            for exchange in waiting {
                await #expect(throws: HTTPStreamError.refused) { _ = try await exchange.responseHead() }
                // Does nothing any more.
                exchange.cancel()
            }
            #expect(!client.isOpen)
            mayAnswer.open()
            #expect(try await first.responseHead().status == 200)
            #expect(try await first.collect() == [7])
            await client.close()
        }
    }
}
