import Compression
import NIOCore
import Synchronization

/// Status, fields and body of an answer. Dropping it ends the exchange.
public struct HTTPClientResponse: Sendable {
    public let status: Int
    public let fields: HTTPFields
    /// Where the answer came from, after redirects.
    public let url: HTTPURL
    public let body: HTTPResponseBody
}

/// A response body as it arrives. One reader; the server is held back while nobody reads.
public struct HTTPResponseBody: AsyncSequence, Sendable {
    private let source: ResponseBodySource

    init(_ source: ResponseBodySource) { self.source = source }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let source: ResponseBodySource

        /// - Throws: ``HTTPClientError``
        public mutating func next() async throws -> ByteBuffer? { try await source.next() }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(source: source) }

    /// The whole body; its size is limited by the request's `maximumResponseByteCount`.
    ///
    /// - Throws: ``HTTPClientError``
    public func collect() async throws -> ByteBuffer {
        var whole = ByteBuffer()
        for try await piece in self { whole.writeImmutableBuffer(piece) }
        return whole
    }

    /// The trailer fields, once the body has been read to its end.
    public var trailers: HTTPFields? { get async { await source.exchange.trailers } }
}

/// Reads an exchange under the limits of its request.
final class ResponseBodySource: Sendable {
    private struct State {
        var decompression: DecompressionStream?
        var byteCount = 0
    }

    let exchange: HTTPClientExchange
    private let upload: BodyUpload?
    private let limit: Int
    private let deadline: RequestDeadline?
    private let state: Mutex<State>

    /// - Parameter algorithm: what the body is compressed with.
    init(
        _ exchange: HTTPClientExchange, upload: BodyUpload?, limit: Int, deadline: RequestDeadline?,
        algorithm: CompressionAlgorithm?
    ) throws(HTTPClientError) {
        self.exchange = exchange
        self.upload = upload
        self.limit = limit
        self.deadline = deadline
        state = Mutex(State())
        guard let algorithm else { return }
        do throws(CompressionError) {
            try state.withLock { state throws(CompressionError) in
                state.decompression = try DecompressionStream(algorithm, maximumByteCount: limit)
            }
        } catch {
            throw .decompression("\(error)")
        }
    }

    deinit {
        upload?.cancel()
        exchange.cancel()
    }

    func next() async throws -> ByteBuffer? {
        do {
            while true {
                guard let bytes = try await exchange.readBody() else {
                    try state.withLock { if $0.byteCount > 0 { try $0.decompression?.finish() } }
                    return nil
                }
                let piece = try state.withLock { try take(bytes, &$0) }
                if piece.readableBytes > 0 { return piece }
            }
        } catch let error as HTTPStreamError {
            throw deadline?.error(for: error) ?? HTTPClientError.stream(error)
        } catch let error as CompressionError {
            exchange.cancel()
            throw error.isLimit ? HTTPClientError.responseTooLarge(limit: limit) : .decompression("\(error)")
        }
    }

    private func take(_ bytes: ByteBuffer, _ state: inout State) throws -> ByteBuffer {
        state.byteCount += bytes.readableBytes
        guard let decompression = state.decompression else {
            guard state.byteCount <= limit else {
                exchange.cancel()
                throw HTTPClientError.responseTooLarge(limit: limit)
            }
            return bytes
        }
        var output: [UInt8] = []
        try bytes.withUnsafeReadableBytes { try decompression.decompress($0, into: &output) }
        return ByteBuffer(bytes: output)
    }
}

/// The time a request may take, all redirects and the body included.
struct RequestDeadline: Sendable {
    let deadline: NIODeadline
    private let limit: Duration

    init(_ limit: Duration) {
        self.limit = limit
        deadline = .now() + TimeAmount(limit)
    }

    /// What a cancelled exchange means when time is up.
    func error(for error: HTTPStreamError) -> HTTPClientError? {
        error == .cancelled && deadline <= .now() ? .timedOut(limit: limit) : nil
    }

    var timedOut: HTTPClientError { .timedOut(limit: limit) }
}
