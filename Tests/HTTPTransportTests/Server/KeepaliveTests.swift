import NIOCore
import Testing

@testable import HTTPTransport

/// The server's own PINGs (rule H2d): who answers stays, who does not is gone.
@Suite(.timeLimit(.minutes(5))) struct KeepaliveTests {
    private static let second: UInt64 = 1_000_000_000
    private static let ping = Frame(type: 6, flags: 0, stream: 0, payload: [0, 0, 0, 0, 0, 0, 0, 0])

    /// What a watch with the default timers finds in each of `seconds` seconds: the seconds of PINGs, and of the end.
    private func findings(
        seconds: UInt64, timeouts: HTTPTimeouts = HTTPTimeouts(),
        _ peer: (_ second: UInt64) -> (hasReceived: Bool, buffered: Int, progress: Int)
    ) -> (asked: [UInt64], gone: UInt64?) {
        var watch = KeepaliveWatch(now: 0)
        var asked: [UInt64] = []
        for second in 1...seconds {
            let (hasReceived, buffered, progress) = peer(second)
            switch watch.look(
                hasReceived: hasReceived, bufferedByteCount: buffered, progress: progress, timeouts,
                now: second * Self.second)
            {
            case .nothing: break
            case .ask: asked.append(second)
            case .gone: return (asked, second)
            }
        }
        return (asked, nil)
    }

    @Test func `H2d silence for keepaliveInterval is a PING, silence for keepaliveTimeout after it the end`() {
        let (asked, gone) = findings(seconds: 1_000) { _ in (false, 0, 0) }
        #expect(asked == [121])
        #expect(gone == 142)
    }

    @Test func `H2d any byte is an answer, and puts the next PING off`() {
        let (asked, gone) = findings(seconds: 400) { second in ([141, 270].contains(second), 0, 0) }
        #expect(asked == [121, 262, 391])
        #expect(gone == nil)
        #expect(findings(seconds: 10_000) { second in (second.isMultiple(of: 120), 0, 0) }.asked.isEmpty)
    }

    @Test func `H2d who takes bytes that wait is there; what the socket takes by itself proves nothing`() {
        // A slow reader with a large window: one piece a minute, and not a word.
        let slow = findings(seconds: 10_000) { second in (false, 1, Int(second / 60)) }
        #expect(slow.asked.isEmpty)
        // Its last piece has been taken: from here on it has to answer.
        let last = findings(seconds: 1_000) { second in (false, second < 100 ? 1 : 0, second < 100 ? 0 : 1) }
        #expect(last.asked == [221])
        #expect(last.gone == 242)
        // A PING that waits behind a backlog.
        let behind = findings(seconds: 400) { second in (false, 1, second < 130 ? 0 : Int(second)) }
        #expect(behind.asked == [121])
        #expect(behind.gone == nil)
        // A stream whose messages go to a dead peer, as long as the socket has room.
        let dead = findings(seconds: 1_000) { second in (false, 0, Int(second)) }
        #expect(dead.gone == 142)
        // A backlog that does not move.
        #expect(findings(seconds: 1_000) { _ in (false, 1, 7) }.gone == 142)
    }

    @Test func `H2d no keepaliveInterval, no PING`() {
        var timeouts = HTTPTimeouts()
        timeouts.keepaliveInterval = nil
        let (asked, gone) = findings(seconds: 100_000, timeouts: timeouts) { _ in (false, 0, 0) }
        #expect(asked.isEmpty && gone == nil)
    }

    @Test(arguments: [HTTP2Engine.Role.server, .client])
    func `H2d the answers to PINGs are no flood`(role: HTTP2Engine.Role) throws {
        var limits = HTTPLimits()
        limits.controlFrames = 5
        let engine = try TestEngine(role, limits: limits)
        engine.feed(role == .server ? Wire.begin : Wire.emptySettings)
        for _ in 0..<2_000 {
            engine.engine.submitPing()
            try #require(Wire.frames(engine.drain()).ofType(6) == [Self.ping])
            engine.feed(Wire.frame(type: 6, flags: 1, stream: 0, Self.ping.payload))
        }
        #expect(engine.isAlive)
        // Answers to nothing are.
        for _ in 0..<5 { engine.feed(Wire.frame(type: 6, flags: 1, stream: 0, Self.ping.payload)) }
        #expect(!engine.isAlive)
        #expect(engine.engine.failedLimit == "controlFrames")
    }

    @Test(arguments: [HTTP2Engine.Role.server, .client])
    func `H2d a PING is answered with its own bytes`(role: HTTP2Engine.Role) throws {
        let engine = try TestEngine(role)
        engine.feed(role == .server ? Wire.begin : Wire.emptySettings)
        let payload = Array("12345678".utf8)
        let answer = Wire.frames(engine.feed(Wire.frame(type: 6, flags: 0, stream: 0, payload)))
        #expect(answer == [Frame(type: 6, flags: 1, stream: 0, payload: payload)])
    }

    @Test func `H2c, H2d the answer to a keepalive PING is not the answer to the notice of a shutdown`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin)
        func feed(_ payload: [UInt8]) -> Bool {
            let acknowledgement = Wire.frame(type: 6, flags: 1, stream: 0, payload)
            _ = acknowledgement.withUnsafeBytes { server.engine.feed($0, now: 1) }
            return server.engine.takeEvents().contains { event in
                if case .noticeAcknowledged = event { true } else { false }
            }
        }
        server.engine.submitPing()
        server.engine.submitShutdownNotice()
        _ = server.drain()
        #expect(!feed(Self.ping.payload))
        #expect(feed(Array("shutdown".utf8)))
    }

    // MARK: Over sockets

    private static var timeouts: HTTPTimeouts {
        var timeouts = HTTPTimeouts.patient
        timeouts.keepaliveInterval = .milliseconds(50)
        timeouts.keepaliveTimeout = .seconds(240)
        return timeouts
    }

    /// A request whose body goes on.
    private static let request = Wire.begin + Wire.headers(1, Wire.requestBlock(path: "/"), endStream: false)

    @Test(arguments: [true, false])
    func `H2d PINGs that are answered keep the connection, with a call and without`(hasCall: Bool) async throws {
        var limits = HTTPLimits()
        // SETTINGS, its acknowledgement, and one too many would be the end.
        limits.controlFrames = 2
        try await withServer(limits: limits, timeouts: Self.timeouts, handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send((hasCall ? Self.request : Wire.begin) + Wire.settingsAcknowledgement)
                for count in 1...5 {
                    let pings = try await peer.frames(until: { $0.ofType(6).count == count }).ofType(6)
                    #expect(pings.last == Self.ping)
                    try await peer.send(Wire.frame(type: 6, flags: 1, stream: 0, Self.ping.payload))
                }
                let more = hasCall ? [] : Wire.headers(1, Wire.requestBlock(path: "/"), endStream: false)
                try await peer.send(more + Wire.data(1, [7], endStream: true))
                let answer = try await peer.frames {
                    $0.contains { $0.type == 0 && $0.flags == 1 } || !$0.ofType(7).isEmpty
                }
                #expect(answer.ofType(0).flatMap(\.payload) == [7])
                #expect(answer.ofType(7).isEmpty)
            }
            #expect(server.limitHits["keepaliveTimeout"] == nil)
        }
    }

    @Test func `H2d a PING that is not answered ends the connection, and its calls as a lost one`() async throws {
        var timeouts = Self.timeouts
        timeouts.keepaliveTimeout = .milliseconds(100)
        let witness = Witness()
        try await withServer(timeouts: timeouts, handler: witness.reader) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send(Self.request)
                _ = try await peer.receiveAll()
                let frames = Wire.frames(peer.received)
                #expect(frames.ofType(6) == [Self.ping])
                // NO_ERROR: the last request may have had an effect, later ones have not.
                let end = Frame(type: 7, flags: 0, stream: 0, payload: [0, 0, 0, 1, 0, 0, 0, 0])
                #expect(frames.last == end)
            }
            #expect(await eventually { witness.isOver })
            #expect(witness.wasCancelled)
            let reason = "HTTPTimeouts.keepaliveTimeout = 0.1 seconds passed after a keepalive PING"
            #expect(witness.recorded == [.connectionClosed(reason: reason)])
            #expect(server.limitHits["keepaliveTimeout"] == 1)
            #expect(await eventually { server.connectionCount == 0 && server.runningHandlerCount == 0 })
        }
    }

    @Test func `H2d an HTTP/1.1 connection gets no PING`() async throws {
        var timeouts = Self.timeouts
        timeouts.keepaliveInterval = .milliseconds(20)
        timeouts.keepaliveTimeout = .milliseconds(20)
        try await withServer(timeouts: timeouts, handler: echo) { server in
            try await RawPeer.with(port: server.port) { peer in
                try await peer.send("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\na")
                try await Task.sleep(for: .milliseconds(500))
                try await peer.send("b")
                #expect(try await peer.receive(until: "\r\nb\r\n0\r\n\r\n"))
                #expect(peer.text.hasPrefix("HTTP/1.1 200 OK\r\n"))
            }
        }
    }
}

extension RawConversation {
    /// Reads until the frames so far are what `isEnough` waits for, or the peer has ended the connection.
    func frames(until isEnough: ([Frame]) -> Bool) async throws -> [Frame] {
        while !isEnough(Wire.frames(received)) {
            guard try await receiveMore() else { break }
        }
        return Wire.frames(received)
    }
}
