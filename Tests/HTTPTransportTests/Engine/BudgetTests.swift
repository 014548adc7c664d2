import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct BudgetTests {
    private static let second: UInt64 = 1_000_000_000

    @Test func `a bucket allows its burst at once and its rate for ever`() {
        var bucket = TokenBucket(burst: 10, perSecond: 2)
        var admitted = 0
        for _ in 0..<50 where bucket.spend(now: Self.second) { admitted += 1 }
        #expect(admitted == 10)
        var slow = TokenBucket(burst: 10, perSecond: 2)
        for tick in UInt64(1)...1_000 {
            let isAdmitted = slow.spend(now: tick * Self.second / 2)
            #expect(isAdmitted)
        }
    }

    @Test func `header fields are counted per second`() throws {
        var limits = HTTPLimits()
        limits.headerFieldsPerSecond = 40
        let server = try TestEngine(.server, limits: limits)
        server.feed(Wire.begin)
        for index in 0..<10 { server.feed(Wire.headers(UInt32(index * 2 + 1), Wire.requestBlock())) }
        #expect(server.engine.failure == nil)
        server.feed(Wire.headers(21, Wire.requestBlock()))
        #expect(server.engine.failedLimit == "headerFieldsPerSecond")
        #expect(server.engine.failure == "more than HTTPLimits.headerFieldsPerSecond = 40")
    }

    @Test func `what waits to be sent is counted, whatever becomes of the stream`() throws {
        let server = try TestEngine(.server)
        var input = Wire.preface + Wire.frame(type: 4, flags: 0, stream: 0, [0, 4, 0, 0, 0, 100])
        for id: UInt32 in [1, 3, 5] { input += Wire.headers(id, Wire.requestBlock()) }
        server.feed(input)
        for id: Int32 in [1, 3, 5] {
            let stream = try #require(server.streams[id])
            server.engine.respond(stream, HTTPResponseHead(status: 200), endsStream: false)
            server.engine.send(.init(repeating: 0x61, count: 1_000), on: stream)
        }
        #expect(server.engine.unsentByteCount == 3_000)
        _ = server.drain()
        #expect(server.engine.unsentByteCount == 2_700)
        server.feed(Wire.reset(1))
        #expect(server.engine.unsentByteCount == 1_800)
        server.engine.reset(try #require(server.streams[3]), .cancel)
        #expect(server.engine.unsentByteCount == 900)
        server.feed(Wire.frame(type: 8, flags: 0, stream: 5, Wire.big(10_000)))
        #expect(server.engine.unsentByteCount == 0)
    }

    @Test func `the sum of chunk extensions is limited`() {
        let chunk = "1;\(String(repeating: "a", count: 200))\r\nx\r\n"
        let head = "POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n"
        let few = head + String(repeating: chunk, count: 40) + "0\r\n\r\n"
        #expect(ParserHarness.parse(Array(few.utf8)).last == .end)
        let many = head + String(repeating: chunk, count: 45) + "0\r\n\r\n"
        #expect(ParserHarness.parse(Array(many.utf8)).last == .error(400))
        // Chunks of one byte without extension are slow, and allowed.
        let small = head + String(repeating: "1\r\nx\r\n", count: 5_000) + "0\r\n\r\n"
        #expect(ParserHarness.parse(Array(small.utf8)).last == .end)
    }
}
