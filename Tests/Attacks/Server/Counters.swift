import Foundation
import HTTPTransport
import NIOCore
import Synchronization

/// `GET /counters`: what the server counts, as JSON.
final class Counters: Sendable {
    private struct Snapshot: Encodable {
        let connections: Int
        /// The one that makes this answer included.
        let runningHandlers: Int
        let startedStubborn: Int
        let limitHits: [String: Int]
    }

    private let target: TargetService
    private let server = Mutex<HTTPServer?>(nil)

    init(target: TargetService) { self.target = target }

    func watch(_ server: HTTPServer) { self.server.withLock { $0 = server } }

    func answer(_ exchange: HTTPExchange) async {
        guard let server = server.withLock({ $0 }) else { return }
        let snapshot = Snapshot(
            connections: server.connectionCount, runningHandlers: server.runningHandlerCount,
            startedStubborn: target.startedStubborn, limitHits: server.limitHits
        )
        let body = (try? JSONEncoder().encode(snapshot)) ?? Data()
        exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: "application/json"]))
        exchange.sendLast(ByteBuffer(bytes: body))
    }
}
