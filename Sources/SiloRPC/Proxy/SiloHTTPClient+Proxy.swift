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
    public func proxy(_ exchange: HTTPExchange, to cell: CellName) async {
        if let name = HTTPFieldName(SiloField.hop), exchange.fields.count(of: name) > 0 {
            return ProxyAnswer.refuse(exchange, 508, "this request has been handed on already; the addresses of silos form a loop")
        }
        let state = state(cell)
        guard state.begin() == nil else {
            return ProxyAnswer.refuse(
                exchange, 503,
                "maximumProxiedExchanges = \(configuration.maximumProxiedExchanges) requests to this cell are running")
        }
        defer { state.end() }
        if case .open = state.admit(.now) {
            return ProxyAnswer.refuse(exchange, 503, "the cell does not answer; requests to it pause")
        }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(try request(exchange, cell))
        } catch {
            let status = ProxyAnswer.status(error)
            // A client that goes away says nothing about the cell.
            if status != 499 { state.didFail(.now) }
            return ProxyAnswer.refuse(exchange, status, ProxyAnswer.text(status))
        }
        [502, 503, 504].contains(response.status) ? state.didFail(.now) : state.didAnswer(.now)
        await giveBack(response, exchange)
    }

    private func request(_ exchange: HTTPExchange, _ cell: CellName) throws -> HTTPClientRequest {
        let head = exchange.head
        let byteCount = head.fields.first(.contentLength).flatMap { Int($0) }
        // A function, even for a body that is known to be empty: it is never sent twice.
        var request = HTTPClientRequest(
            head.method, try proxyURL(cell, head.path),
            fields: ProxyFields.request(head.fields, address: exchange.remoteAddress?.ipAddress),
            body: .stream(byteCount: byteCount) { writer in
                while let bytes = try await exchange.readBody() { try await writer.send(bytes) }
            })
        request.timeout = CallDeadline.remaining(exchange) ?? configuration.proxyTimeout
        return request
    }

    private func giveBack(_ response: HTTPClientResponse, _ exchange: HTTPExchange) async {
        exchange.sendHead(HTTPResponseHead(status: response.status, fields: ProxyFields.response(response.fields)))
        do {
            // A stream's first message may take long; but a head that is the whole answer must stay one frame (rule S9).
            if response.fields.count(of: .grpcStatus) == 0 { try await exchange.send(ByteBuffer()) }
            for try await bytes in response.body { try await exchange.send(bytes) }
            exchange.finish(trailers: await response.body.trailers.map(ProxyFields.trailers))
        } catch {
            // The head has left: the only honest end is a broken one.
            exchange.reset(.internalError)
        }
    }
}

/// Answers that the proxy makes itself.
enum ProxyAnswer {
    static func status(_ error: any Error) -> Int {
        switch error {
        case HTTPClientError.connection(.cancelled), is CancellationError: 499
        case HTTPClientError.connection(.deadlineExceeded): 503
        case HTTPClientError.connection: 503
        case HTTPClientError.timedOut: 504
        case HTTPClientError.stream(.cancelled): 499
        case is HTTPStreamError: 499
        case is SiloError, is ConnectionTargetError: 503
        default: 502
        }
    }

    static func text(_ status: Int) -> String {
        switch status {
        case 503: "the cell cannot be reached now"
        case 504: "the cell did not answer in time"
        default: "the cell's answer broke off"
        }
    }

    /// In the words of the caller's protocol: gRPC and gRPC-Web get a status, everything else HTTP's with Connect's JSON.
    /// The text never says where the cell is.
    static func refuse(_ exchange: HTTPExchange, _ status: Int, _ text: String) {
        let code: StatusCode =
            switch status {
            case 401: .unauthenticated
            case 403: .permissionDenied
            case 404: .notFound
            case 421: .failedPrecondition
            case 504: .deadlineExceeded
            case 508: .internalError
            default: .unavailable
            }
        let type = exchange.fields.first(.contentType) ?? ""
        var fields = HTTPFields()
        if status == 503 { fields.append(.retryAfter, "1") }
        if type.hasPrefix("application/grpc") {
            fields.append(.contentType, type)
            fields.append(.grpcStatus, "\(code.rawValue)")
            fields.append(.grpcMessage, text)
            exchange.sendHead(HTTPResponseHead(status: 200, fields: fields))
            return exchange.finish()
        }
        fields.append(.contentType, "application/json")
        exchange.sendHead(HTTPResponseHead(status: status == 499 ? 502 : status, fields: fields))
        exchange.sendLast(ByteBuffer(string: #"{"code":"\#(code.connectName)","message":"\#(text)"}"#))
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
