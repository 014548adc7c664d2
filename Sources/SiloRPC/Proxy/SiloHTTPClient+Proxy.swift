import FrameCodec
import HTTPTransport
import NIOCore
import RPC

/// ```
///             hop mark? ........................ 508
///             places, breaker .................. 503 with Retry-After
///   connect   refused, unknown, too slow ....... 503
///   send      bytes up, bytes down, never again: what has been sent may have had effect
///             no answer within the deadline .... 504
///             the exchange broke ............... 502
///             broke after the head ............. the client's stream is reset
/// ```
extension SiloHTTPClient {
    /// Hands a request of the public on to a cell and gives its answer back; bytes as they come, both ways.
    ///
    /// A client that goes away ends the request to the cell too. Bodies are neither read nor changed. Never retries.
    public func proxy(_ exchange: HTTPExchange, to cell: CellName) async { await proxy(exchange, to: cell, .call) }

    func proxy(_ exchange: HTTPExchange, to cell: CellName, _ form: ProxyRefusal.Form) async {
        func refuse(_ refusal: ProxyRefusal) {
            note(cell, refusal.reason)
            refusal.answer(exchange, form, configuration.crossOrigin)
        }
        if let name = HTTPFieldName(SiloField.hop), exchange.fields.count(of: name) > 0 { return refuse(.loop) }
        let state = state(cell)
        guard state.begin() == nil else { return refuse(.busy(configuration.maximumProxiedExchanges)) }
        defer { state.end() }
        if case .open = state.admit(.now()) { return refuse(.paused) }
        let response: HTTPClientResponse
        let timeout = CallDeadline.remaining(exchange) ?? configuration.proxyTimeout
        do {
            response = try await client.execute(try request(exchange, cell, timeout))
        } catch {
            let refusal = ProxyRefusal(of: error)
            // A client that goes away, or does not wait, says nothing about the cell.
            let isClients = refusal == .gone || refusal == .late && timeout < configuration.proxyPatience
            if !isClients { state.didFail(.now()) }
            return refuse(refusal)
        }
        note(cell, "\(response.status)")
        Self.isSilence(response) ? state.didFail(.now()) : state.didAnswer(.now())
        await giveBack(response, exchange)
    }

    /// The cell, or what stands before it, cannot serve; a service that says "unavailable" in its own words can.
    private static func isSilence(_ response: HTTPClientResponse) -> Bool {
        guard [502, 503, 504].contains(response.status) else { return false }
        let type = response.fields.first(.contentType) ?? ""
        return !type.hasPrefix("application/json") && !type.hasPrefix("application/problem+json")
    }

    private func request(
        _ exchange: HTTPExchange, _ cell: CellName, _ timeout: Duration
    ) throws -> HTTPClientRequest {
        let head = exchange.head
        let byteCount = head.fields.first(.contentLength).flatMap { Int($0) }
        // A function, even for a body that is known to be empty: it is never sent twice.
        var request = HTTPClientRequest(
            head.method, try proxyURL(cell, head.path),
            fields: ProxyFields.request(head.fields, address: exchange.remoteAddress?.ipAddress),
            body: .stream(byteCount: byteCount) { writer in
                while let bytes = try await Self.read(exchange) { try await writer.send(bytes) }
            })
        request.timeout = timeout
        return request
    }

    /// What the client sends.
    ///
    /// - Throws: ``ProxyRefusal``, so that the cell's exchange ends and nobody takes the client's end for the cell's.
    private static func read(_ exchange: HTTPExchange) async throws -> ByteBuffer? {
        do { return try await exchange.readBody() } catch {
            // Told to stop: the cell's exchange has ended, and says why.
            throw Task.isCancelled ? error : ProxyRefusal.gone
        }
    }

    private func giveBack(_ response: HTTPClientResponse, _ exchange: HTTPExchange) async {
        var fields = ProxyFields.response(response.fields)
        configuration.crossOrigin.permitReading(&fields, by: exchange.fields)
        exchange.sendHead(HTTPResponseHead(status: response.status, fields: fields))
        do {
            // A stream's first message may take long; but a head that is the whole answer must stay one frame (rule
            // S9).
            if response.fields.count(of: .grpcStatus) == 0 { try await exchange.send(ByteBuffer()) }
            for try await bytes in response.body { try await exchange.send(bytes) }
            exchange.finish(trailers: await response.body.trailers.map(ProxyFields.trailers))
        } catch {
            // The head has left: the only honest end is a broken one.
            exchange.reset(.internalError)
        }
    }
}

/// The time that the client of a handed-on call has set.
enum CallDeadline {
    static func remaining(_ exchange: HTTPExchange) -> Duration? {
        if let name = HTTPFieldName("connect-timeout-ms"), let text = exchange.fields.first(name),
            let milliseconds = Int64(text), (0...86_400_000).contains(milliseconds)
        {
            return .milliseconds(milliseconds)
        }
        let nanoseconds = exchange.fields.withFirst(.grpcTimeout) { try? GRPCTimeout.parse($0) } ?? nil
        return nanoseconds.map { min(.nanoseconds(Int64(clamping: $0)), .seconds(86_400)) }
    }
}
