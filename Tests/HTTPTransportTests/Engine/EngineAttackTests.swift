import NIOCore
import Testing

@testable import HTTPTransport

/// The rows of the attack table (protocol rules, 4.1) that need no socket. Code 11 is ENHANCE_YOUR_CALM.
@Suite(.timeLimit(.minutes(5))) struct EngineAttackTests {
    private static let calm: UInt32 = 11

    @Test func `HPACK reference bomb is stopped by the header list limit`() throws {
        let server = try TestEngine(.server)
        // One value of 3,000 bytes goes into the dynamic table (literal with indexing), then one-byte
        // references.
        let value = String(repeating: "v", count: 3_000)
        let indexed: [UInt8] = [0x40] + Wire.string("x") + Wire.string(value)
        let references = [UInt8](repeating: 0xBE, count: 10_000)
        let output = Wire.frames(
            server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock() + indexed + references)))
        #expect(output.ofType(3) == [Frame(type: 3, flags: 0, stream: 1, payload: Wire.big(Self.calm))])
        #expect(!server.reports.contains { if case .head = $0 { true } else { false } })
        // The connection and its compression state live on.
        server.feed(Wire.headers(3, Wire.requestBlock()))
        #expect(server.reports.contains(.head(3, "POST /a/b x")))
    }

    @Test func `too many small fields are stopped by the field count limit`() throws {
        let server = try TestEngine(.server)
        let many = (0..<101).map { ("a\($0)", "") }
        let output = Wire.frames(server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(many))))
        #expect(output.ofType(3).map(\.code) == [Self.calm])
    }

    @Test func `a trailer block is held to the same limit`() throws {
        let server = try TestEngine(.server)
        let large = String(repeating: "v", count: 8_300)
        let output = Wire.frames(
            server.feed(
                Wire.begin + Wire.headers(1, Wire.requestBlock(), endStream: false)
                    + Wire.headers(1, Wire.literal("x", large))))
        #expect(output.ofType(3).map(\.code) == [Self.calm])
        #expect(!server.reports.contains(.end(1)))
    }

    @Test func `CONTINUATION flood ends the connection with GOAWAY`() throws {
        let server = try TestEngine(.server)
        var input = Wire.begin + Wire.frame(type: 1, flags: 1, stream: 1, Wire.requestBlock())
        for _ in 0..<20 { input += Wire.frame(type: 9, flags: 0, stream: 1, Wire.literal("a", "b")) }
        let output = Wire.frames(server.feed(input))
        #expect(!server.isAlive)
        #expect(server.engine.failure != nil)
        #expect(output.goAwayCodes.count == 1)
    }

    @Test func `rapid reset pair by pair ends with GOAWAY`() throws {
        let server = try TestEngine(.server)
        var output = server.feed(Wire.begin)
        var pairs = 0
        while server.isAlive, pairs < 2_000 {
            let id = UInt32(pairs * 2 + 1)
            output += server.feed(Wire.headers(id, Wire.requestBlock(), endStream: false) + Wire.reset(id))
            pairs += 1
        }
        // The budget's clock is the test's, which stands still: not one more, however slow the machine.
        #expect(pairs == HTTPLimits().receivedResetBurst + 1)
        #expect(!Wire.frames(output).goAwayCodes.isEmpty)
    }

    @Test
    func `rapid reset in one buffer: streams reset in their own slice are over before a handler could start`()
        throws
    {
        let server = try TestEngine(.server)
        var input = Wire.begin
        for index in 0..<1_500 {
            let id = UInt32(index * 2 + 1)
            input += Wire.headers(id, Wire.requestBlock(), endStream: false) + Wire.reset(id)
        }
        server.feed(input)
        #expect(!server.isAlive)
        let heads = server.reports.filter { if case .head = $0 { true } else { false } }.count
        // At most the burst, plus what one slice of 16 KiB can hold.
        #expect(heads < HTTPLimits().receivedResetBurst + HTTP2Engine.sliceByteCount / 60)
        #expect(server.streams.count <= 1)
    }

    @Test func `MadeYouReset by window overflow is counted`() throws {
        let server = try TestEngine(.server)
        var output = server.feed(Wire.begin)
        var streams = 0
        while server.isAlive, streams < 2_000 {
            let id = UInt32(streams * 2 + 1)
            output += server.feed(
                Wire.headers(id, Wire.requestBlock(), endStream: false)
                    + Wire.frame(type: 8, flags: 0, stream: id, Wire.big(0x7FFF_FFFF)))
            streams += 1
        }
        #expect(streams == HTTPLimits().sentResets + 1)
        #expect(Wire.frames(output).goAwayCodes == [Self.calm])
        #expect(server.engine.failure?.contains("HTTPLimits.sentResets = 200") == true)
    }

    @Test func `MadeYouReset by content-length mismatch is counted`() throws {
        let server = try TestEngine(.server)
        var output = server.feed(Wire.begin)
        var streams = 0
        while server.isAlive, streams < 2_000 {
            let id = UInt32(streams * 2 + 1)
            output += server.feed(
                Wire.headers(id, Wire.requestBlock([("content-length", "5")]), endStream: false)
                    + Wire.data(id, [1], endStream: true))
            streams += 1
        }
        #expect(streams == HTTPLimits().sentResets + 1)
        #expect(Wire.frames(output).goAwayCodes == [Self.calm])
    }

    @Test func `resets chosen by the application do not count against the peer`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin)
        for index in 0..<500 {
            let id = UInt32(index * 2 + 1)
            server.feed(Wire.headers(id, Wire.requestBlock()))
            server.engine.reset(try #require(server.streams[Int32(id)]), .cancel)
            _ = server.drain()
        }
        #expect(server.isAlive)
    }

    @Test(arguments: [
        ("PING", Wire.frame(type: 6, flags: 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0])),
        ("PING acknowledgement", Wire.frame(type: 6, flags: 1, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0])),
        ("SETTINGS", Wire.emptySettings),
        ("PRIORITY", Wire.frame(type: 2, flags: 0, stream: 1, [0, 0, 0, 0, 15])),
        ("unknown type", Wire.frame(type: 0xF0, flags: 0, stream: 0, [1, 2, 3])),
    ])
    func `control frame flood ends with GOAWAY`(name: String, frame: [UInt8]) throws {
        let server = try TestEngine(.server)
        var output = server.feed(Wire.begin)
        var count = 0
        while server.isAlive, count < 100_000 {
            output += server.feed(frame)
            count += 1
        }
        #expect(count <= HTTPLimits().controlFrames + 1, "\(name)")
        #expect(Wire.frames(output).goAwayCodes == [Self.calm])
        #expect(server.engine.failure?.contains("HTTPLimits.controlFrames = 200") == true)
    }

    @Test func `control frames within the budget of each window are fine`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin)
        for _ in 0..<20 {
            server.now += 31_000_000_000
            for _ in 0..<200 {
                server.feed(Wire.frame(type: 6, flags: 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]))
            }
        }
        #expect(server.isAlive)
    }

    @Test func `a PING after each answer is a bandwidth probe, not a flood`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin)
        for index in 0..<2_000 {
            let id = UInt32(index * 2 + 1)
            server.feed(Wire.headers(id, Wire.requestBlock()))
            server.engine.respond(
                try #require(server.streams[Int32(id)]), HTTPResponseHead(status: 200), endsStream: true)
            _ = server.drain()
            server.feed(Wire.frame(type: 6, flags: 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]))
        }
        #expect(server.isAlive)
    }

    @Test func `PING flood without draining is stopped by the queue cap`() throws {
        var limits = HTTPLimits()
        limits.controlFrames = 1_000_000
        limits.queuedFrames = 500
        let server = try TestEngine(.server, limits: limits)
        server.feed(Wire.begin)
        var count = 0
        while server.isAlive, count < 5_000 {
            server.feed(Wire.frame(type: 6, flags: 0, stream: 0, [0, 0, 0, 0, 0, 0, 0, 0]), drains: false)
            count += 1
        }
        #expect(count <= 501)
        #expect(server.engine.failure?.contains("HTTPLimits.queuedFrames = 500") == true)
    }

    @Test(arguments: [true, false])
    func `empty DATA flood ends with GOAWAY`(padded: Bool) throws {
        let server = try TestEngine(.server)
        var output = server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(), endStream: false))
        let frame = padded ? Wire.frame(type: 0, flags: 8, stream: 1, [3, 0, 0, 0]) : Wire.data(1, [])
        var count = 0
        while server.isAlive, count < 50_000 {
            output += server.feed(frame)
            count += 1
        }
        #expect(count == HTTPLimits().emptyDataFrames + 1)
        #expect(Wire.frames(output).goAwayCodes == [Self.calm])
    }

    @Test func `empty DATA for a closed stream is counted too`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin + Wire.headers(1, Wire.requestBlock(), endStream: false) + Wire.reset(1))
        var count = 0
        while server.isAlive, count < 5_000 {
            server.feed(Wire.data(1, []))
            count += 1
        }
        #expect(count <= HTTPLimits().emptyDataFrames + 1)
    }

    @Test func `WINDOW_UPDATE flood ends with GOAWAY`() throws {
        var limits = HTTPLimits()
        limits.windowUpdates = 300
        let server = try TestEngine(.server, limits: limits)
        server.feed(Wire.begin)
        var count = 0
        while server.isAlive, count < 5_000 {
            server.feed(Wire.frame(type: 8, flags: 0, stream: 0, Wire.big(1)))
            count += 1
        }
        #expect(count == 301)
    }

    @Test func `WINDOW_UPDATE of 0 ends the connection`() throws {
        let server = try TestEngine(.server)
        let output = server.feed(Wire.begin + Wire.frame(type: 8, flags: 0, stream: 0, Wire.big(0)))
        #expect(Wire.frames(output).goAwayCodes == [1])
    }

    @Test func `a wrong preface is fatal`() throws {
        let server = try TestEngine(.server)
        server.feed(Array("GET / HTTP/1.1\r\nhost: a\r\n\r\n".utf8))
        #expect(!server.isAlive)
    }

    @Test func `H2e too many streams before the first acknowledgement are refused`() throws {
        let server = try TestEngine(.server)
        var input = Wire.begin
        for index in 0..<200 {
            input += Wire.headers(UInt32(index * 2 + 1), Wire.requestBlock(), endStream: false)
        }
        let output = Wire.frames(server.feed(input))
        #expect(output.ofType(3).count == 200 - HTTPLimits().concurrentStreams)
        #expect(output.ofType(3).allSatisfy { $0.code == 7 })
    }

    @Test func `random bytes after the preface never crash`() throws {
        var generator = SplitMix64(state: 42)
        for _ in 0..<300 {
            let server = try TestEngine(.server)
            let count = Int.random(in: 1...400, using: &generator)
            server.feed(Wire.begin + (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) })
        }
    }

    @Test func `flipped bits in a good conversation never crash`() throws {
        let good =
            Wire.begin + Wire.settingsAcknowledgement
            + Wire.headers(1, Wire.requestBlock([("x-a", "b")]), endStream: false)
            + Wire.data(1, [1, 2, 3], endStream: true)
            + Wire.frame(type: 6, flags: 0, stream: 0, [1, 2, 3, 4, 5, 6, 7, 8]) + Wire.reset(3)
            + Wire.frame(type: 7, flags: 0, stream: 0, Wire.big(0) + Wire.big(0))
        for index in 24..<good.count {
            for bit in 0..<8 {
                var bytes = good
                bytes[index] ^= UInt8(1 << bit)
                let server = try TestEngine(.server)
                server.feed(bytes, step: 7)
            }
        }
    }
}

/// Small reproducible generator.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
