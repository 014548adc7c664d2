import FrameCodec
import HTTPTransport
import NIOCore

/// One call as its caller sees it, in raw message bytes: messages out, messages in, then the outcome.
///
/// ```
/// waiting for head --head--> reading --end of body--> ended(outcome)
///        |                      |
///        +---- broken ----------+------> ended(failed)
/// ```
public actor ClientCall {
    public let method: MethodDescriptor
    /// The response's headers, once they have arrived.
    public private(set) var responseMetadata = Metadata()
    /// The response's trailers, once the call has ended.
    public private(set) var trailingMetadata = Metadata()

    private let exchange: HTTPClientExchange
    private let wire: RPCChannel.Wire
    private let reader: FrameReader
    private let deadline: NIODeadline?
    private var deadlineTimer: Scheduled<Void>?
    private var head: HTTPResponseHead?
    private var inbound = ByteBuffer()
    private var textDecoder = Base64StreamDecoder()
    private var webTrailers: HTTPFields?
    private var ended: StatusFields.Outcome?

    init(method: MethodDescriptor, exchange: HTTPClientExchange, configuration: RPCChannel.Configuration, deadline: NIODeadline?) {
        self.method = method
        self.exchange = exchange
        self.wire = configuration.wire
        self.reader = FrameReader(
            maximumPayloadByteCount: configuration.maximumResponseMessageByteCount,
            allowedFlags: configuration.wire.isWeb ? [.compressed, .trailers] : .compressed
        )
        self.deadline = deadline
        self.deadlineTimer = deadline.map { instant in
            exchange.eventLoop.scheduleTask(deadline: instant) { exchange.cancel() }
        }
    }

    // MARK: Out

    /// Sends one message; suspends while the server reads too slowly.
    public func send<M: Message>(_ message: M) async throws {
        try await send(bytes: ByteBuffer(bytes: message.serializedBytes()))
    }

    /// Sends one message given as its bytes.
    public func send(bytes: ByteBuffer) async throws {
        guard let byteCount = UInt32(exactly: bytes.readableBytes) else {
            throw RPCError(.resourceExhausted, "a message of \(bytes.readableBytes) bytes does not fit a frame (4 GiB)")
        }
        var frame = ByteBuffer()
        frame.writeWithUnsafeMutableBytes(minimumWritableBytes: FrameHeader.byteCount) { memory in
            FrameHeader(flags: [], payloadByteCount: byteCount).write(into: memory)
            return FrameHeader.byteCount
        }
        frame.writeImmutableBuffer(bytes)
        do {
            try await exchange.send(wire.isText ? Self.base64(frame) : frame)
        } catch {
            // The server may have answered and closed its side already: its answer says more than the lost write.
            if ended == nil, (try? await exchange.responseHead()) != nil { return }
            throw failure(of: error)
        }
    }

    /// No more messages from this side.
    public func finishSending() {
        exchange.finish()
    }

    /// Gives the call up; the server's handler is told.
    public nonisolated func cancel() {
        exchange.cancel()
    }

    // MARK: In

    /// The next message's bytes; nil when the call has ended well.
    ///
    /// - Throws: ``RPCError``, the call's outcome when it is not OK.
    public func nextMessage() async throws -> ByteBuffer? {
        while ended == nil {
            do {
                if head == nil { try readHead(try await exchange.responseHead()) }
                if let message = try cutMessage() { return message }
                if ended != nil { break }
                guard let chunk = try await exchange.readBody() else {
                    end(try await outcomeAtEnd())
                    break
                }
                try append(chunk)
            } catch let error as RPCError {
                end(.failed(error))
                exchange.cancel()
            } catch let error as HTTPStreamError {
                end(.failed(failure(of: error)))
            }
        }
        if case .failed(let error)? = ended { throw error }
        return nil
    }

    /// The next message; nil when the call has ended well.
    public func receive<M: Message>(_ type: M.Type) async throws -> M? {
        guard let bytes = try await nextMessage() else { return nil }
        do {
            return try bytes.withUnsafeReadableBytes { try M(serializedBytes: $0) }
        } catch let error as WireError {
            exchange.cancel()
            throw RPCError(.internalError, "the response of \(method.path) is not valid protobuf: \(error)")
        }
    }

    /// The only message of a unary answer (rule P11).
    public func receiveOnly<M: Message>(_ type: M.Type) async throws -> M {
        guard let message = try await receive(type) else {
            throw RPCError(.unimplemented, "\(method.path) answered OK without a message")
        }
        guard try await nextMessage() == nil else {
            exchange.cancel()
            throw RPCError(.unimplemented, "\(method.path) answered with more than one message")
        }
        return message
    }

    /// Runs `body`; cancelling the task cancels the call.
    nonisolated func withCancellation<R: Sendable>(_ body: () async throws -> R) async throws -> R {
        try await withTaskCancellationHandler {
            try await body()
        } onCancel: {
            cancel()
        }
    }

    private func readHead(_ head: HTTPResponseHead) throws {
        self.head = head
        responseMetadata = Metadata(fields: head.fields)
        let type = head.fields.first(.contentType) ?? ""
        let isExpected = type.hasPrefix(wire.isWeb ? "application/grpc-web" : "application/grpc")
        guard head.status == 200, isExpected else {
            if case .failed(let error) = StatusFields.outcome(head.fields) { throw error }
            let seen = head.status == 200 ? "content-type \"\(type.prefix(64))\"" : "HTTP status \(head.status)"
            throw RPCError(StatusCode(httpStatus: head.status), "the server answered with \(seen), not with a gRPC status")
        }
    }

    private func append(_ chunk: ByteBuffer) throws {
        if inbound.readableBytes == 0 { inbound.clear() } else { inbound.discardReadBytes() }
        guard wire.isText else {
            inbound.writeImmutableBuffer(chunk)
            return
        }
        var bytes: [UInt8] = []
        do {
            try chunk.withUnsafeReadableBytes { try textDecoder.decode($0, into: &bytes) }
        } catch {
            throw RPCError(.internalError, "the response body is not valid base64: \(error)")
        }
        inbound.writeBytes(bytes)
    }

    /// Cuts messages, and gRPC-Web's trailer frame, off what has arrived.
    private func cutMessage() throws -> ByteBuffer? {
        let slice: FrameSlice?
        do {
            slice = try inbound.withUnsafeReadableBytes { bytes throws(FrameError) in try reader.next(bytes) }
        } catch {
            throw RPCError(frameError: error)
        }
        guard let slice else { return nil }
        guard webTrailers == nil else { throw RPCError(.internalError, "the response goes on after its trailer frame") }
        let payload = inbound.getSlice(at: inbound.readerIndex + slice.payload.lowerBound, length: slice.payload.count)
        inbound.moveReaderIndex(forwardBy: slice.consumed)
        if slice.flags.contains(.compressed), !slice.payload.isEmpty {
            throw RPCError(.internalError, "the response is compressed, and this client offered no encoding")
        }
        guard slice.flags.contains(.trailers) else { return payload }
        try readTrailers(payload ?? ByteBuffer())
        return try cutMessage()
    }

    private func readTrailers(_ block: ByteBuffer) throws {
        var fields = HTTPFields()
        do {
            for pair in try block.withUnsafeReadableBytes({ try TrailerBlock.decode($0) }) {
                pair.name.withUnsafeBytes { name in
                    pair.value.withUnsafeBytes { value in fields.append(name: name, value: value) }
                }
            }
        } catch {
            throw RPCError(.internalError, "the response's trailer frame is malformed: \(error)")
        }
        webTrailers = fields
    }

    private func outcomeAtEnd() async throws -> StatusFields.Outcome {
        do {
            try inbound.withUnsafeReadableBytes { bytes throws(FrameError) in try reader.finish(bytes) }
        } catch {
            throw RPCError(frameError: error)
        }
        let trailers = wire.isWeb ? webTrailers : await exchange.trailers
        // An empty trailer block means the head's status counts (rule W6).
        if let trailers, !trailers.isEmpty {
            trailingMetadata = Metadata(fields: trailers)
            let outcome = StatusFields.outcome(trailers)
            guard case .missing = outcome else { return outcome }
            return .failed(RPCError(.unknown, "the server's trailers have no grpc-status"))
        }
        guard let head, case let outcome = StatusFields.outcome(head.fields) else { return .missing }
        if case .missing = outcome { return .failed(RPCError(.internalError, "the response ended without a grpc-status")) }
        return outcome
    }

    private func end(_ outcome: StatusFields.Outcome) {
        ended = outcome
        deadlineTimer?.cancel()
    }

    /// A broken stream, as a status. A stream that this side cut at the deadline is DEADLINE_EXCEEDED (rule T6).
    private func failure(of error: HTTPStreamError) -> RPCError {
        if let deadline, deadline <= .now() { return RPCError(.deadlineExceeded, "the call's deadline has passed") }
        return RPCError(error.statusCode, "\(error)")
    }

    private static func base64(_ frame: ByteBuffer) -> ByteBuffer {
        ByteBuffer(bytes: Base64.encode(Array(frame.readableBytesView), padded: true))
    }
}

/// The messages of a streamed answer. One consumer; leaving the loop early and dropping the stream cancels the call.
public struct ResponseStream<Response: Message>: AsyncSequence, Sendable {
    private let guarded: CancelWhenDropped
    /// The call, for its metadata.
    public var call: ClientCall { guarded.call }

    init(call: ClientCall) {
        guarded = CancelWhenDropped(call: call)
    }

    public struct AsyncIterator: AsyncIteratorProtocol {
        fileprivate let guarded: CancelWhenDropped

        /// - Throws: ``RPCError``, the call's outcome when it is not OK.
        public mutating func next() async throws -> Response? {
            let call = guarded.call
            return try await call.withCancellation { try await call.receive(Response.self) }
        }
    }

    public func makeAsyncIterator() -> AsyncIterator { AsyncIterator(guarded: guarded) }
}

/// Where the messages of a streamed request go.
public struct RequestWriter<Request: Message>: Sendable {
    let call: ClientCall

    /// Sends one message; suspends while the server reads too slowly.
    public func send(_ message: Request) async throws { try await call.send(message) }

    /// No more messages from this side.
    public func finish() async { await call.finishSending() }
}

private final class CancelWhenDropped: Sendable {
    let call: ClientCall
    init(call: ClientCall) { self.call = call }
    deinit { call.cancel() }
}
