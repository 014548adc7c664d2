import NIOCore

@testable import HTTPTransport

/// Bytes as a script for one ``HTTP2Engine``: frames that a peer sends, well formed or not, between orders that an
/// owner gives. Whatever the script says, events keep their grammar and the output is a sequence of whole frames.
///
///     record = operation (low 3 bits of a byte, the other 5 are its argument) and what it reads from the rest
///       0, 1  raw bytes: argument, or 32 times as many
///       2     frame: type = argument; flags, stream, length and that many bytes follow
///       3     HEADERS with one of `blocks`, which the argument chooses; stream follows
///       4     DATA with `argument` zero bytes; flags and stream follow
///       5, 6  an order to the engine, see `give`
///       7     drain at most `argument` * 64 bytes; advance the clock by `argument` seconds
final class HTTP2Script {
    private let role: HTTP2Engine.Role
    private var limits = HTTPLimits()
    private var engine: HTTP2Engine?
    private var now: UInt64 = 1
    private var isReadable = true
    private var output: [UInt8] = []
    private var problem: String?
    /// Stages of the streams that have been reported and not closed.
    private var stages: [ObjectIdentifier: Stage] = [:]
    private var unread: [ObjectIdentifier: Int] = [:]

    private enum Stage { case open, head, ended }

    init(role: HTTP2Engine.Role) {
        self.role = role
        limits.headerListByteCount = 400
        limits.headerFieldCount = 12
        limits.concurrentStreams = 8
        limits.sentResets = 6
        limits.receivedResetBurst = 6
        limits.controlFrames = 20
        limits.emptyDataFrames = 6
        limits.queuedFrames = 40
        limits.streamWindowByteCount = 2_000
        limits.connectionWindowByteCount = 70_000
    }

    func run(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let engine = try? HTTP2Engine(role: role, limits: limits) else { return "no engine" }
        self.engine = engine
        var input = ScriptInput(bytes)
        let start = role == .server ? HTTP2Script.preface + HTTP2Script.settings : HTTP2Script.settings
        // One script in four begins without the preface.
        if input.byte() & 3 != 0 { feed(start) }
        var steps = 0
        while problem == nil, !input.isEmpty, steps < 400 {
            steps += 1
            step(&input)
        }
        finish()
        return problem
    }

    private func step(_ input: inout ScriptInput) {
        let operation = input.byte()
        let argument = operation >> 3
        switch operation & 7 {
        case 0: feed(input.bytes(argument))
        case 1: feed(input.bytes((argument + 1) * 32))
        case 2:
            let flags = UInt8(truncatingIfNeeded: input.byte())
            let stream = input.byte()
            let payload = input.bytes(input.byte())
            feed(Self.frame(UInt8(truncatingIfNeeded: argument), flags, stream, payload))
        case 3:
            let stream = input.byte()
            let blocks = Self.blocks(from: role == .server ? .client : .server)
            feed(Self.frame(1, argument & 1 == 0 ? 4 : 5, stream, blocks[(argument >> 1) % blocks.count]))
        case 4:
            let flags = UInt8(truncatingIfNeeded: input.byte())
            feed(Self.frame(0, flags, input.byte(), [UInt8](repeating: 0, count: argument)))
        case 5, 6: give(argument, &input)
        default:
            now += UInt64(argument) * 1_000_000_000
            drain(upTo: argument * 64)
        }
    }

    // MARK: In

    private func feed(_ bytes: [UInt8]) {
        guard isReadable, let engine, problem == nil else { return }
        isReadable = bytes.withUnsafeBytes { engine.feed($0, now: now) }
        handleEvents(inputCount: bytes.count)
        if !isReadable { drain(upTo: .max) }
    }

    private func handleEvents(inputCount: Int) {
        guard let engine else { return }
        let events = engine.takeEvents()
        for event in events { check(event, inputCount) }
        engine.returnEvents(events)
        if engine.openStreams.count > limits.concurrentStreams, role == .server {
            problem = "more streams than HTTPLimits.concurrentStreams"
        }
    }

    private func check(_ event: HTTP2Event, _ inputCount: Int) {
        switch event {
        case .head(let reference):
            let stream = reference.takeUnretainedValue()
            let hasHead = role == .server ? stream.requestHead != nil : stream.responseHead != nil
            advance(stream, from: .open, to: .head)
            if !hasHead { problem = "a head event without a head" }
        case .data(let reference, let offset, let count):
            let stream = reference.takeUnretainedValue()
            if stage(stream) != .head { problem = "data outside of a body" }
            if offset < 0 || count < 1 || offset + count > inputCount { problem = "data out of range" }
            unread[ObjectIdentifier(stream), default: 0] += count
        case .end(let reference):
            advance(reference.takeUnretainedValue(), from: .head, to: .ended)
        case .closed(let reference, _):
            let stream = reference.takeUnretainedValue()
            stages[ObjectIdentifier(stream)] = nil
            engine?.consume(unread.removeValue(forKey: ObjectIdentifier(stream)) ?? 0, on: nil)
        case .drained(let reference): reference.takeUnretainedValue().wantsDrainEvents = false
        case .goAway, .noticeAcknowledged, .settings: break
        }
    }

    private func stage(_ stream: HTTP2Stream) -> Stage { stages[ObjectIdentifier(stream)] ?? .open }

    private func advance(_ stream: HTTP2Stream, from: Stage, to: Stage) {
        if stage(stream) != from { problem = "\(to) after \(stage(stream))" }
        stages[ObjectIdentifier(stream)] = to
    }

    // MARK: Orders

    private func give(_ order: Int, _ input: inout ScriptInput) {
        guard let engine, problem == nil else { return }
        if order >= 12 { return giveToConnection(order, input.byte()) }
        let streams = engine.openStreams
        guard !streams.isEmpty else { return }
        let stream = streams[input.byte() % streams.count]
        let isHeadSubmitted = stream.isHeadSubmitted
        switch order {
        case 0 where role == .server: engine.respond(stream, Self.response, endsStream: true)
        case 1 where role == .server: engine.respond(stream, Self.response, endsStream: false)
        case 2 where role == .server: engine.respond(stream, Self.response, trailers: Self.response.fields)
        case 3 where isHeadSubmitted, 4 where isHeadSubmitted:
            engine.send(ByteBuffer(repeating: 0x61, count: input.byte() * (order == 3 ? 1 : 97)), on: stream)
        case 5 where isHeadSubmitted: engine.end(stream, trailers: nil)
        case 6 where isHeadSubmitted: engine.end(stream, trailers: Self.response.fields)
        case 7: engine.reset(stream, .cancel)
        case 8: stream.wantsDrainEvents = true
        default:
            let count = unread.removeValue(forKey: ObjectIdentifier(stream)) ?? 0
            engine.consume(count, on: stream)
        }
    }

    private func giveToConnection(_ order: Int, _ argument: Int) {
        switch order {
        case 12: engine?.submitShutdownNotice()
        case 13: engine?.submitFinalGoAway()
        case 14 where argument == 0: engine?.terminate(.enhanceYourCalm, reason: "the script says so")
        case 15, 16, 17:
            guard role == .client else { return }
            _ = engine?.request(Self.requestHead, authority: Array("x".utf8), endsStream: order == 15)
        default: drain(upTo: .max)
        }
    }

    // MARK: Out

    private func drain(upTo limit: Int) {
        guard let engine, problem == nil else { return }
        var rounds = 0
        var hasMore = true
        while hasMore, rounds < 1_000 {
            rounds += 1
            var buffer = ByteBuffer()
            hasMore = engine.drain(into: &buffer, upTo: min(limit, 4_096), now: now) && limit > 4_096
            output += buffer.readableBytesView
            handleEvents(inputCount: 0)
        }
        if rounds == 1_000 { problem = "output without end" }
    }

    private func finish() {
        drain(upTo: .max)
        guard problem == nil else { return }
        var index = role == .client ? 24 : 0
        while index + 9 <= output.count {
            index += 9 + Int(output[index]) << 16 + Int(output[index + 1]) << 8 + Int(output[index + 2])
        }
        if index != output.count { problem = "the output is not whole frames" }
    }
}
