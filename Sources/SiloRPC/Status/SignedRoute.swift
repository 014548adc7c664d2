import HTTPTransport
import NIOCore
import RPC

/// Plain HTTP resources that only other silos may ask for, by a signature.
public enum SignedRoute {
    /// Largest request body.
    static let maximumBodyByteCount = 64 * 1024

    /// - Parameter handler: gives the answer's body; what it throws is 500.
    public static func make(
        _ method: HTTPMethod, _ path: String, verifier: SiloVerifier, contentType: String = "application/json",
        handler: @escaping @Sendable (SiloPeer, ByteBuffer) async throws -> [UInt8]
    ) -> HTTPRoute {
        HTTPRoute(method, path) { exchange in
            do {
                let peer = try await verify(exchange, verifier)
                let answer = try await handler(peer.0, peer.body)
                exchange.sendHead(HTTPResponseHead(status: 200, fields: [.contentType: contentType]))
                exchange.sendLast(ByteBuffer(bytes: answer))
            } catch let error as SignatureRefusal {
                refuse(exchange, 401, "\(error.reason.rawValue): \(error.text)")
            } catch {
                refuse(exchange, 500, "the request failed")
            }
        }
    }

    private static func verify(
        _ exchange: HTTPExchange, _ verifier: SiloVerifier
    ) async throws -> (SiloPeer, body: ByteBuffer) {
        let head = try verifier.checkHead(exchange.head, identity: exchange.peerIdentity)
        var body = ByteBuffer()
        while let bytes = try await exchange.readBody() {
            guard body.readableBytes + bytes.readableBytes <= maximumBodyByteCount else {
                throw SignatureRefusal(.wrong, "the body exceeds \(maximumBodyByteCount) bytes")
            }
            body.writeImmutableBuffer(bytes)
        }
        return (try body.withUnsafeReadableBytes { try verifier.checkBody($0, of: head) }, body)
    }

    private static func refuse(_ exchange: HTTPExchange, _ status: Int, _ text: String) {
        exchange.sendHead(HTTPResponseHead(status: status, fields: [.contentType: "text/plain; charset=utf-8"]))
        exchange.sendLast(ByteBuffer(string: text + "\n"))
    }
}
