import HTTPTransport
import NIOCore
import RPC

/// Plain HTTP pages for probes and collectors.
public enum OperationsRoutes {
    /// `/healthz`: 200 while the process answers at all. `/readyz`: 200 while new calls are welcome, else 503.
    public static func health(_ registry: HealthRegistry) -> [HTTPRoute] {
        [
            HTTPRoute(.get, "/healthz") { answer($0, 200, "text/plain; charset=utf-8", Array("ok\n".utf8)) },
            HTTPRoute(.get, "/readyz") { exchange in
                let isReady = registry.isReady
                let text = isReady ? "ready\n" : "not ready\n"
                answer(exchange, isReady ? 200 : 503, "text/plain; charset=utf-8", Array(text.utf8))
            },
        ]
    }

    /// `/metrics` for Prometheus.
    public static func metrics(_ metrics: ServerMetrics) -> HTTPRoute {
        HTTPRoute(.get, "/metrics") { exchange in
            let page = await metrics.text(accept: exchange.fields.first(.accept) ?? "")
            answer(exchange, 200, page.contentType, page.bytes)
        }
    }

    /// `/descriptors`: the contract as a serialised `google.protobuf.FileDescriptorSet`.
    public static func descriptors(_ contract: ContractFiles) -> HTTPRoute {
        let bytes = contract.descriptorSet
        return HTTPRoute(.get, "/descriptors") {
            answer($0, 200, "application/x-protobuf; messageType=\"google.protobuf.FileDescriptorSet\"", bytes)
        }
    }

    private static func answer(_ exchange: HTTPExchange, _ status: Int, _ contentType: String, _ body: [UInt8]) {
        var fields = HTTPFields()
        fields.append(.contentType, contentType)
        fields.append(.cacheControl, "no-store")
        exchange.sendHead(HTTPResponseHead(status: status, fields: fields))
        exchange.sendLast(ByteBuffer(bytes: body))
    }
}
