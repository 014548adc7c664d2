import Testing

@testable import HTTPTransport

/// Responses that are none (RFC 9113 section 8): the engine checks them in the place of nghttp2, refuses what nghttp2
/// refuses, with the same frames, and reports what nghttp2 reports.
@Suite(.timeLimit(.minutes(5))) struct ResponseRulesTests {
    typealias Block = [(name: String, value: String)]

    private static let usual: Block = [
        (":status", "200"), ("content-type", "application/grpc"), ("x-other", "1"), ("te", "trailers"),
    ]
    private static let trailers: Block = [("grpc-status", "0"), ("x-more", "1")]
    private static let start = Wire.emptySettings

    private static func bytes(_ block: Block) -> [UInt8] { block.flatMap { Wire.literal($0.name, $0.value) } }

    /// A whole answer.
    private static func answer(_ stream: UInt32, _ head: Block = usual, _ trailers: Block = trailers) -> [UInt8] {
        Wire.headers(stream, bytes(head), endStream: false) + Wire.data(stream, [1, 2])
            + Wire.headers(stream, bytes(trailers))
    }

    /// Three requests that both clients send.
    private static func engine(_ method: HTTPMethod, endsStream: Bool) throws -> TestEngine {
        let client = try TestEngine(.client)
        for _ in 0..<3 {
            let head = HTTPRequestHead(method: method, path: "/")
            _ = try #require(client.engine.request(head, authority: Array("x".utf8), endsStream: endsStream))
        }
        _ = client.drain()
        return client
    }

    private static func ours(
        _ bytes: [UInt8], _ method: HTTPMethod = .post, endsStream: Bool = true, step: Int = HTTP2Engine.sliceByteCount
    ) throws -> (Outcome, TestEngine) {
        let client = try engine(method, endsStream: endsStream)
        let output = client.feed(bytes, step: step)
        return (Outcome(output, client.reports), client)
    }

    private static func theirs(_ bytes: [UInt8], _ method: HTTPMethod = .post, endsStream: Bool = true) -> Outcome {
        let session = PlainSession(.client)
        for _ in 0..<3 { session.request("\(method)", endsStream: endsStream) }
        session.feed([])
        return Outcome(session.feed(bytes), session.reports)
    }

    /// Sends the frames between two good answers, so that there is something to compare with, and a stream behind; and
    /// alone, byte by byte.
    private static func outcomes(
        _ frames: (_ stream: UInt32) -> [UInt8], _ method: HTTPMethod = .post, endsStream: Bool = true
    ) throws -> (theirs: Outcome, ours: Outcome) {
        let isHead = method == .head
        func good(_ stream: UInt32) -> [UInt8] { isHead ? Wire.headers(stream, bytes(usual)) : answer(stream) }
        let sequence = start + good(1) + frames(3) + good(5)
        let (ours, client) = try ours(sequence, method, endsStream: endsStream)
        if ours.goAways.isEmpty {
            #expect(client.isAlive)
            #expect(client.reports.contains(.end(5)))
        }
        #expect(ours.reports.filter { if case .closed = $0 { true } else { false } }.count <= 1)
        let (alone, _) = try Self.ours(start + frames(3), method, endsStream: endsStream, step: 1)
        #expect(ours.isRefused ? alone.withoutBodies == ours.withoutBodies : alone == ours)
        return (theirs(sequence, method, endsStream: endsStream), ours)
    }

    /// - Parameter isRefused: nil when both ways will do, as long as nghttp2 goes it too.
    private static func expectSame(
        _ frames: (_ stream: UInt32) -> [UInt8], _ method: HTTPMethod = .post, isRefused: Bool?, _ comment: Comment
    ) throws {
        for endsStream in [true, false] {
            let (theirs, ours) = try outcomes(frames, method, endsStream: endsStream)
            #expect(ours == theirs, comment)
            if let isRefused { #expect(ours.isRefused == isRefused, comment) }
        }
    }

    /// As the whole answer, and as the head of one with a body.
    private static func expectSame(_ head: Block, _ method: HTTPMethod = .post, isRefused: Bool) throws {
        try expectSame({ Wire.headers($0, bytes(head)) }, method, isRefused: isRefused, "\(head)")
        try expectSame(
            { Wire.headers($0, bytes(head), endStream: false) + Wire.headers($0, bytes(trailers)) }, method,
            isRefused: isRefused, "\(head)")
    }

    private static let forbidden: Block =
        ForbiddenFields.all + [
            (":method", "GET"), (":path", "/"), (":scheme", "http"), (":authority", "x"), ("", "a"), ("a b", "c"),
        ]

    @Test func `M2 a forbidden field at any place`() throws {
        for block in ForbiddenFields.placing(Self.forbidden, in: Self.usual) {
            try Self.expectSame(block, isRefused: true)
        }
    }

    @Test func `fields that look like forbidden ones`() throws {
        let fields: Block = [
            ("te", "Trailers"), ("x-te", "gzip"), ("connectio", "a"), ("host", "x"), ("host", "a b"), ("host", ""),
            ("content-length", "0"), ("x", "\u{80}"), ("x", "a\tb"), ("x", ""), ("trailer", "a"), ("priority", "u=9"),
        ]
        for field in fields { try Self.expectSame(Self.usual + [field], isRefused: false) }
    }

    @Test func `status`() throws {
        try Self.expectSame(Array(Self.usual[1...]), isRefused: true)
        try Self.expectSame([], isRefused: true)
        try Self.expectSame([Self.usual[1], Self.usual[0]] + Self.usual[2...], isRefused: true)
        try Self.expectSame([(":status", "200")], isRefused: false)
        for value in ["", "2", "20", "2000", "0200", "2x0", " 200", "20 ", "+20", "-20", "101"] {
            try Self.expectSame([(":status", value)], isRefused: true)
        }
        // nghttp2 takes them, and 0 to 99 are no statuses (RFC 9110 section 15).
        for value in ["000", "099"] {
            #expect(try Self.outcomes { Wire.headers($0, Self.bytes([(":status", value)])) }.ours.isRefused)
        }
        for status in 200...999 {
            let head: Block = [(":status", "\(status)")] + Self.usual[1...]
            let (theirs, ours) = try Self.outcomes { Wire.headers($0, Self.bytes(head)) }
            #expect(ours == theirs && ours.reports.first == .head(3, "\(status)"))
        }
    }

    @Test func `H2f interim answers`() throws {
        func head(_ status: Int, _ more: Block = []) -> [UInt8] { Self.bytes([(":status", "\(status)")] + more) }
        func interim(_ stream: UInt32, _ status: Int, _ more: Block = [], endStream: Bool = false) -> [UInt8] {
            Wire.headers(stream, head(status, more), endStream: endStream)
        }
        let cases: [(name: String, isRefused: Bool, frames: (UInt32) -> [UInt8])] = [
            ("one", false, { interim($0, 100) + Self.answer($0) }),
            ("two", false, { interim($0, 103, [("link", "x")]) + interim($0, 199) + Self.answer($0) }),
            ("101", true, { interim($0, 101) + Self.answer($0) }),
            ("END_STREAM", true, { interim($0, 100, endStream: true) }),
            ("a length", true, { interim($0, 100, [("content-length", "0")]) + Self.answer($0) }),
            ("a forbidden field", true, { interim($0, 100, [("upgrade", "x")]) + Self.answer($0) }),
            ("a body", true, { interim($0, 100) + Wire.data($0, [1]) + Self.answer($0) }),
            ("no body, but its end", true, { interim($0, 100) + Wire.data($0, [], endStream: true) }),
            ("an empty piece", false, { interim($0, 100) + Wire.data($0, []) + Self.answer($0) }),
            ("trailers", true, { interim($0, 100) + Wire.headers($0, Self.bytes(Self.trailers)) }),
            ("late", true, { Wire.headers($0, head(200), endStream: false) + interim($0, 100) + Self.answer($0) }),
            ("a final one of its own", true, { interim($0, 100) + Wire.headers($0, head(0)) }),
        ]
        for (name, isRefused, frames) in cases { try Self.expectSame(frames, isRefused: isRefused, "\(name)") }
        for status in 100...199 where status != 101 {
            try Self.expectSame({ interim($0, status) + Self.answer($0) }, isRefused: false, "\(status)")
        }
    }

    /// A body before any head ends the connection.
    @Test func `no head`() throws {
        for endStream in [true, false] {
            let (theirs, ours) = try Self.outcomes { Wire.data($0, [1], endStream: endStream) }
            #expect(ours.goAways == [1] && ours.goAways == theirs.goAways)
        }
    }

    @Test func `every byte in names and values`() throws {
        for byte in UInt8.min...UInt8.max {
            let fields: [[UInt8]] = [
                [0, 3, 0x61, byte, 0x62, 1, 0x62], [0, 2, byte, 0x62, 1, 0x62], [0, 2, 0x62, byte, 1, 0x62],
                [0, 1, 0x78, 3, 0x61, byte, 0x62],
            ]
            for field in fields {
                for isTrailer in [false, true] {
                    let (theirs, ours) = try Self.outcomes {
                        Wire.headers($0, Self.bytes(Self.usual) + (isTrailer ? [] : field), endStream: false)
                            + Wire.headers($0, Self.bytes(Self.trailers) + (isTrailer ? field : []))
                    }
                    #expect(ours.resets == theirs.resets && ours.goAways.isEmpty, "byte \(byte) in \(field)")
                }
            }
            for place in 0..<3 {
                var status: [UInt8] = Array("200".utf8)
                status[place] = byte
                let block = [0] + Wire.string(":status") + [3] + status
                // "000" to "099": see there.
                guard place > 0 || byte != 0x30 else { continue }
                try Self.expectSame({ Wire.headers($0, block) }, isRefused: nil, "byte \(byte) in the status")
            }
        }
    }

    @Test func `a body must be as long as its head says`() throws {
        let bodies: [(Int?, [Int])] = [
            (0, []), (1, []), (5, [5]), (5, [4]), (5, [6]), (5, [2, 3]), (5, [5, 0]), (5, [2, 0, 3]), (5, [3, 3]),
            (5, [6, 1]), (0, [0]), (0, [1]), (5, [1, 1]), (nil, []), (nil, [0]), (nil, [3]),
        ]
        for (length, pieces) in bodies {
            for status in [200, 204, 206, 304, 404, 500] {
                for method: HTTPMethod in [.post, .head, .connect] {
                    for trailers: Block? in [nil, Self.trailers] {
                        try Self.expectSame(
                            { Self.response(status, length, pieces, $0, trailers: trailers) }, method, isRefused: nil,
                            "\(status) to \(method): \(String(describing: length)) of \(pieces)")
                    }
                }
            }
        }
    }

    /// Body pieces, and what ends the answer: the last piece, or trailers.
    private static func response(
        _ status: Int, _ length: Int?, _ pieces: [Int], _ stream: UInt32, trailers: Block? = nil
    ) -> [UInt8] {
        var head: Block = [(":status", "\(status)")] + usual[1...]
        if let length { head.append(("content-length", "\(length)")) }
        var frames = Wire.headers(stream, bytes(head), endStream: pieces.isEmpty && trailers == nil)
        for (index, count) in pieces.enumerated() {
            let isLast = index == pieces.count - 1 && trailers == nil
            frames += Wire.data(stream, [UInt8](repeating: 0x61, count: count), endStream: isLast)
        }
        return trailers.map { frames + Wire.headers(stream, bytes($0)) } ?? frames
    }

    @Test func `lengths`() throws {
        try Self.expectSame(Self.usual + [("content-length", "0"), ("content-length", "0")], isRefused: true)
        // Any number of a body that does not come.
        try Self.expectSame(Self.usual + [("content-length", "12")], .head, isRefused: false)
        try Self.expectSame([(":status", "304"), ("content-length", "12")], isRefused: false)
        try Self.expectSame([(":status", "304"), ("content-length", "x")], isRefused: true)
        try Self.expectSame(Self.usual + [("content-length", "x")], .head, isRefused: true)
        try Self.expectSame([(":status", "204"), ("content-length", "0")], isRefused: false)
        try Self.expectSame([(":status", "204"), ("content-length", "1")], isRefused: true)
    }

    /// What was repeated so far says a length, too.
    @Test func `a length that the head before had`() throws {
        let head: Block = [(":status", "200"), ("content-length", "2"), ("a", "b")]
        for changed: Block in [head, [head[0], head[1]], [head[0], head[1], ("c", "d")], [head[0], head[2]]] {
            for count in 0...3 {
                let sequence =
                    Self.start + Self.answer(1, head)
                    + Wire.headers(3, Self.bytes(changed), endStream: count == 0)
                    + (count == 0 ? [] : Wire.data(3, [UInt8](repeating: 0, count: count), endStream: true))
                    + Self.answer(5, head)
                let (ours, client) = try Self.ours(sequence)
                #expect(ours == Self.theirs(sequence), "\(changed) and \(count)")
                #expect(ours.isRefused == (changed.count > 1 && changed[1].name != "a" && count != 2))
                #expect(client.reports.contains(.end(1)) && client.reports.contains(.end(5)))
            }
        }
    }

    @Test func `trailers`() throws {
        func outcomes(_ trailers: Block, endStream: Bool = true) throws -> (theirs: Outcome, ours: Outcome) {
            try Self.outcomes {
                Wire.headers($0, Self.bytes(Self.usual), endStream: false) + Wire.data($0, [1])
                    + Wire.headers($0, Self.bytes(trailers), endStream: endStream)
            }
        }
        for block in ForbiddenFields.placing(Self.forbidden, in: Self.trailers) {
            let (theirs, ours) = try outcomes(block)
            #expect(ours == theirs && ours.isRefused, "\(block)")
            #expect(ours.reports == [.head(3, "200"), .data(3, [1]), .closed(3, "PROTOCOL_ERROR")], "\(block)")
        }
        for block: Block in [Self.trailers, [], Self.trailers + [("te", "trailers")], [("host", "a b")], [("x", "")]] {
            let (theirs, ours) = try outcomes(block)
            #expect(ours == theirs && !ours.isRefused, "\(block)")
            let (notTheirs, notOurs) = try outcomes(block, endStream: false)
            #expect(notOurs == notTheirs && notOurs.isRefused, "\(block)")
        }
        // Too late (RFC 9110 section 6.5.1); nghttp2 takes it when the head had none.
        #expect(try outcomes([("content-length", "1")]).ours.isRefused)
        // More after the end.
        try Self.expectSame(
            { Self.answer($0) + Wire.headers($0, Self.bytes(Self.trailers)) }, isRefused: nil, "twice")
        try Self.expectSame({ Self.answer($0) + Wire.data($0, [1]) }, isRefused: nil, "a body behind")
    }

    /// Every answer of the connection is what it would be alone, whatever came before.
    @Test func `answers that repeat parts of the one before`() throws {
        var heads: [Block] = [Self.usual, [(":status", "200")], [(":status", "404")] + Self.usual[1...]]
        for index in Self.usual.indices.dropFirst() {
            var changed = Self.usual
            changed[index].value = index == 3 ? "TRAILERS" : "other"
            heads += [changed, Array(Self.usual[..<index]), Self.usual + [Self.usual[index]]]
        }
        let trailers: [Block] = [
            Self.trailers, [], [Self.trailers[0]], [("grpc-status", "1")], Self.trailers + [("a", "")],
        ]
        for first in heads {
            for second in heads {
                for (index, third) in trailers.enumerated() {
                    let behind = trailers[(index + 1) % trailers.count]
                    let client = try Self.engine(.post, endsStream: true)
                    client.feed(
                        Self.start + Self.answer(1, first, third) + Self.answer(3, second, third)
                            + Self.answer(5, first, behind))
                    for (stream, head, last): (Int32, Block, Block) in [
                        (1, first, third), (3, second, third), (5, first, behind),
                    ] {
                        let text = last.map { "\($0.name): \($0.value)" }.joined(separator: "; ")
                        #expect(
                            client.reports.filter { $0.stream == stream } == [
                                .head(stream, head[0].value), .data(stream, [1, 2]), .trailers(stream, text),
                                .end(stream), .closed(stream, "NO_ERROR"),
                            ])
                    }
                }
            }
        }
    }

    @Test func `at every split`() throws {
        let interim = Wire.headers(3, Self.bytes([(":status", "103"), ("link", "x")]), endStream: false)
        let broken = Wire.headers(3, Self.bytes(Self.usual + [("upgrade", "x")]))
        let late = Wire.headers(3, Self.bytes(Self.trailers + [(":status", "200")]))
        let cases = [
            interim + Self.answer(3), broken, interim + broken, interim + Wire.data(3, [1]),
            Wire.headers(3, Self.bytes(Self.usual), endStream: false) + late, Self.response(200, 3, [2, 2], 3),
        ]
        for frames in cases {
            let sequence = Self.start + Self.answer(1) + frames + Self.answer(5)
            let (whole, _) = try Self.ours(sequence)
            #expect(whole == Self.theirs(sequence))
            for index in sequence.indices {
                let client = try Self.engine(.post, endsStream: true)
                let output = client.feed(Array(sequence[..<index])) + client.feed(Array(sequence[index...]))
                #expect(Outcome(output, client.reports).withoutBodies == whole.withoutBodies)
                #expect(client.reports.contains(.end(1)) && client.reports.contains(.end(5)))
            }
        }
    }

    /// Whatever nghttp2 refuses is refused, and nothing else.
    @Test func `random answers`() throws {
        var random = SplitMix64(state: 11)
        for _ in 0..<4_000 {
            var frames: [UInt8] = []
            for _ in 0...Int.random(in: 0...3, using: &random) {
                let endStream = Int.random(in: 0...2, using: &random) == 0
                switch Int.random(in: 0...4, using: &random) {
                case 0:
                    let body = [UInt8](repeating: 1, count: .random(in: 0...3, using: &random))
                    frames += Wire.data(3, body, endStream: endStream)
                case 1: frames += Wire.headers(3, Self.bytes(Self.trailers), endStream: endStream)
                default: frames += Wire.headers(3, Self.bytes(Self.randomHead(&random)), endStream: endStream)
                }
                // What comes behind that is an error of the connection.
                if endStream { break }
            }
            let method: HTTPMethod = [.get, .post, .head].randomElement(using: &random) ?? .get
            let endsStream = Bool.random(using: &random)
            let sequence = Self.start + Wire.headers(1, Self.bytes(Self.usual)) + frames
            let (ours, _) = try Self.ours(sequence, method, endsStream: endsStream)
            #expect(ours == Self.theirs(sequence, method, endsStream: endsStream), "\(Wire.frames(frames))")
        }
    }

    private static func randomHead(_ random: inout SplitMix64) -> Block {
        let names = [":status", ":path", "host", "te", "x", "Y", "connection", ":z", "a b", "content-type"]
        let values = ["200", "204", "304", "100", "103", "101", "1", "trailers", "0", "", "a\u{0}b", "5", "close"]
        var block = usual
        if Bool.random(using: &random) { block[0].value = values[Int.random(in: 0...5, using: &random)] }
        if Int.random(in: 0...2, using: &random) == 0 {
            block.append(("content-length", "\(Int.random(in: 0...3, using: &random))"))
        }
        if Int.random(in: 0...2, using: &random) == 0 {
            BlockScrambler(names: names, values: values).scramble(&block, using: &random)
        }
        return block
    }
}
