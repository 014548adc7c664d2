import NIOCore
import Testing

@testable import HTTPTransport

/// Requests that are none (RFC 9113 section 8): the engine checks them in the place of nghttp2, and refuses what
/// nghttp2 refuses, with the same frames.
@Suite(.timeLimit(.minutes(5))) struct RequestRulesTests {
    typealias Block = [(name: String, value: String)]

    private static let pseudo: Block = [
        (":method", "POST"), (":scheme", "http"), (":path", "/a/b"), (":authority", "x"),
    ]
    private static let usual = pseudo + [("content-type", "application/grpc"), ("x-other", "1"), ("te", "trailers")]

    private static func bytes(_ block: Block) -> [UInt8] { block.flatMap { Wire.literal($0.name, $0.value) } }

    /// What is refused, by stream.
    private static func resets(_ output: [UInt8]) -> [Frame] { Wire.frames(output).ofType(3) }

    /// Sends the frames between two good requests, so that there is a head to compare with, and a stream behind.
    ///
    /// - Returns: the resets of nghttp2 and ours.
    private static func refusals(
        _ frames: (_ stream: UInt32) -> [UInt8], before: Block = usual
    ) throws -> (theirs: [Frame], ours: [Frame]) {
        let good = Wire.headers(1, bytes(before)) + frames(3) + Wire.headers(5, bytes(usual))
        let server = try TestEngine(.server)
        let ours = server.feed(Wire.begin + good)
        #expect(server.isAlive)
        #expect(server.reports.contains(.head(5, "POST /a/b x")))
        return (resets(PlainSession().feed(Wire.begin + good)), resets(ours))
    }

    private static func expectSame(_ block: Block, isRefused: Bool, _ comment: Comment? = nil) throws {
        let (theirs, ours) = try refusals { Wire.headers($0, bytes(block)) }
        #expect(ours == theirs, comment ?? "\(block)")
        #expect(ours == (isRefused ? [Frame(type: 3, flags: 0, stream: 3, payload: Wire.big(1))] : []), "\(block)")
        // Byte by byte it is the same.
        let server = try TestEngine(.server)
        #expect(resets(server.feed(Wire.begin + Wire.headers(3, bytes(block)), step: 1)) == ours)
    }

    private static let forbidden: Block =
        ForbiddenFields.all + [
            ("host", "a b"), ("host", ""), ("host", "x/y"),
        ]

    @Test func `M2 a forbidden field at any place`() throws {
        for block in ForbiddenFields.placing(Self.forbidden, in: Self.usual) {
            try Self.expectSame(block, isRefused: true)
        }
    }

    @Test func `fields that look like forbidden ones`() throws {
        let fields: Block = [
            ("te", "Trailers"), ("x-te", "gzip"), ("connectio", "a"), ("host", "x"), ("content-length", "0"),
            ("x", "\u{80}"), ("x", "a\tb"), ("x", ""), ("trailer", "a"), ("expect", "100-continue"),
            ("priority", "u=9"),
        ]
        for field in fields { try Self.expectSame(Self.usual + [field], isRefused: false) }
    }

    @Test func `a pseudo field is missing, given twice, empty, or behind others`() throws {
        for (index, field) in Self.pseudo.enumerated() {
            var without = Self.usual
            without.remove(at: index)
            try Self.expectSame(without, isRefused: true)
            try Self.expectSame(without + [field], isRefused: true)
            try Self.expectSame([field] + Self.usual, isRefused: true)
            try Self.expectSame(Self.usual[..<(index + 1)] + [field] + Self.usual[(index + 1)...], isRefused: true)
            for value in ["", " ", " \(field.value)", "\(field.value) ", "a b", "\(field.value)\u{7F}"] {
                var changed = Self.usual
                changed[index].value = value
                try Self.expectSame(changed, isRefused: true)
            }
            var late = Self.usual
            late.insert(("a", "b"), at: index)
            try Self.expectSame(late, isRefused: true)
        }
        // `host` stands for an authority.
        var host = Self.usual
        host[3].name = "host"
        try Self.expectSame(host, isRefused: false)
        try Self.expectSame(host + [("host", "x")], isRefused: true)
        try Self.expectSame(Self.usual + [("content-length", "0"), ("content-length", "0")], isRefused: true)
    }

    @Test func `methods: OPTIONS may ask for a star, CONNECT is not served`() throws {
        func block(_ method: String, _ path: String) -> Block {
            [(":method", method), (":scheme", "http"), (":path", path), (":authority", "x")]
        }
        try Self.expectSame(block("OPTIONS", "*"), isRefused: false)
        try Self.expectSame(block("GET", "*"), isRefused: true)
        try Self.expectSame(block("PURGE", "/"), isRefused: false)
        try Self.expectSame(block("CONNECT", "/"), isRefused: true)
        // The one form that nghttp2 lets through, and this package does not serve.
        let (theirs, ours) = try Self.refusals {
            Wire.headers($0, Self.bytes([(":method", "CONNECT"), (":authority", "x")]))
        }
        #expect(theirs.isEmpty)
        #expect(ours.map(\.code) == [1])
    }

    @Test func `every byte in every kind of field`() throws {
        for byte in UInt8.min...UInt8.max {
            // Which pseudo field is replaced, and by what: literals with `byte` in the middle or in front.
            let cases: [(replaced: String, field: [UInt8])] = [
                ("", [0, 3, 0x61, byte, 0x62, 1, 0x62]), ("", [0, 2, byte, 0x62, 1, 0x62]),
                ("", [0, 1, 0x78, 3, 0x61, byte, 0x62]), (":authority", Self.literal("host", [0x61, byte, 0x62])),
                (":authority", Self.literal(":authority", [0x61, byte, 0x62])),
                (":method", Self.literal(":method", [0x61, byte, 0x62])),
                (":path", Self.literal(":path", [0x2F, byte, 0x62])),
            ]
            for (replaced, field) in cases {
                let others = Self.bytes(Self.pseudo.filter { $0.name != replaced })
                let isPseudo = field.dropFirst(2).first == ASCII.colon
                let (theirs, ours) = try Self.refusals { Wire.headers($0, isPseudo ? field + others : others + field) }
                // Paths: rule M1 allows ASCII only, and no fragment.
                let isStricter = replaced == ":path" && (byte >= 0x80 || byte == 0x23)
                #expect(
                    ours == theirs || isStricter && theirs.isEmpty && ours.count == 1, "byte \(byte) in \(field)")
            }
        }
    }

    private static func literal(_ name: String, _ value: [UInt8]) -> [UInt8] {
        [0] + Wire.string(name) + [UInt8(value.count)] + value
    }

    /// Body pieces, and what ends the request: the last piece, or trailers.
    private static func request(_ length: Int, _ pieces: [Int], _ stream: UInt32, trailers: Block? = nil) -> [UInt8] {
        let head = bytes(usual + [("content-length", "\(length)")])
        var frames = Wire.headers(stream, head, endStream: pieces.isEmpty && trailers == nil)
        for (index, count) in pieces.enumerated() {
            let isLast = index == pieces.count - 1 && trailers == nil
            frames += Wire.data(stream, [UInt8](repeating: 0x61, count: count), endStream: isLast)
        }
        return trailers.map { frames + Wire.headers(stream, bytes($0)) } ?? frames
    }

    @Test func `a body must be as long as its head says`() throws {
        let cases: [(Int, [Int])] = [
            (0, []), (1, []), (5, [5]), (5, [4]), (5, [6]), (5, [2, 3]), (5, [5, 0]), (5, [2, 0, 3]), (5, [3, 3]),
            (5, [6, 1]), (0, [0]), (0, [1]), (5, [1, 1]),
        ]
        for (length, pieces) in cases {
            for trailers: Block? in [nil, [("x", "y")]] {
                let (theirs, ours) = try Self.refusals { Self.request(length, pieces, $0, trailers: trailers) }
                #expect(ours == theirs, "\(length) of \(pieces)")
                #expect(ours.isEmpty == (pieces.reduce(0, +) == length), "\(length) of \(pieces)")
            }
        }
    }

    @Test func `a request whose body is too long never ends`() throws {
        let server = try TestEngine(.server)
        server.feed(Wire.begin + Self.request(3, [2, 2], 1))
        #expect(
            server.reports == [.head(1, "POST /a/b x"), .data(1, [0x61, 0x61]), .closed(1, "PROTOCOL_ERROR")])
        let short = try TestEngine(.server)
        short.feed(Wire.begin + Self.request(3, [2], 1))
        #expect(short.reports == [.head(1, "POST /a/b x"), .data(1, [0x61, 0x61]), .closed(1, "PROTOCOL_ERROR")])
    }

    @Test func `trailers`() throws {
        func refusals(_ trailers: Block, endStream: Bool = true) throws -> (theirs: [Frame], ours: [Frame]) {
            try Self.refusals {
                Wire.headers($0, Self.bytes(Self.usual), endStream: false) + Wire.data($0, [1])
                    + Wire.headers($0, Self.bytes(trailers), endStream: endStream)
            }
        }
        for field in Self.forbidden + Self.pseudo {
            let (theirs, ours) = try refusals([("a", "b"), field])
            #expect(ours == theirs, "\(field)")
            #expect(ours.map(\.code) == [1], "\(field)")
        }
        let (theirs, ours) = try refusals([("a", "b")], endStream: false)
        #expect(ours == theirs)
        #expect(ours.map(\.code) == [1])
        #expect(try refusals([("a", "b"), ("te", "trailers")]).ours.isEmpty)
        // Too late for both of them (RFC 9110 section 6.5.1), which nghttp2 takes when the head had none.
        #expect(try refusals([("content-length", "1")]).ours.map(\.code) == [1])
        #expect(try refusals([("host", "x")]).ours.map(\.code) == [1])
    }

    /// Whatever nghttp2 refuses is refused.
    @Test func `random heads`() throws {
        var random = SplitMix64(state: 7)
        let scrambler = BlockScrambler(
            names: [
                ":method", ":path", ":scheme", ":authority", "host", "te", "content-length", "x", "Y", "connection",
                ":z", "a b",
            ],
            values: ["POST", "/a/b", "http", "x", "trailers", "0", "", " ", "a\u{0}b", "5", "*", "close"])
        for _ in 0..<3_000 {
            var block = Self.usual
            for _ in 0...Int.random(in: 0...2, using: &random) {
                scrambler.scramble(&block, using: &random)
            }
            let (theirs, ours) = try Self.refusals { Wire.headers($0, Self.bytes(block)) }
            #expect(theirs.isEmpty || ours == theirs, "\(block)")
        }
    }

    @Test(arguments: [
        (["u=0"], 0, false), (["u=7, i"], 7, true), (["i"], 3, true), (["u=8"], 3, false), (["u=-1,i=?1"], 3, true),
        (["u=2", "i"], 2, true), (["u=1;x=2, i=?0"], 1, false), (["", "u", "=1", "u=12"], 3, false), ([], 3, false),
    ])
    func `the priority field`(values: [String], urgency: UInt32, isIncremental: Bool) {
        var fields = HTTPFields()
        for value in values { fields.append(HTTPFieldName(.priority), value) }
        let priority = StreamPriority(fields)
        #expect(priority.urgency == urgency && priority.isIncremental == isIncremental)
    }

    @Test func `the more urgent answer goes first`() throws {
        let server = try TestEngine(.server)
        server.feed(
            Wire.begin + Wire.headers(1, Wire.requestBlock([("priority", "u=5")]))
                + Wire.headers(3, Wire.requestBlock([("priority", "u=1")])))
        for id: Int32 in [1, 3] {
            let stream = try #require(server.streams[id])
            server.engine.respond(stream, HTTPResponseHead(status: 200), endsStream: false)
        }
        _ = server.drain()
        for id: Int32 in [1, 3] {
            let stream = try #require(server.streams[id])
            server.engine.send(ByteBuffer(string: "answer"), on: stream)
            server.engine.end(stream, trailers: nil)
        }
        #expect(Wire.frames(server.drain()).ofType(0).map(\.stream) == [3, 1])
    }
}
