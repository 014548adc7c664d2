import Testing

@testable import HTTPTransport

/// A head that repeats the one before, wholly or at its begin, is what it would be on a connection of its own.
@Suite struct HeadTemplateTests {
    typealias Block = [(name: String, value: String)]

    private static let usual: Block = [
        (":method", "POST"), (":scheme", "http"), (":path", "/a.B/C"), (":authority", "h:1"), ("te", "trailers"),
        ("content-type", "application/grpc"), ("x-other", "1"), ("grpc-timeout", "1S"),
    ]

    private static func add(_ block: Block, to assembler: inout HeadAssembler) {
        for (name, value) in block {
            var (name, value) = (name, value)
            name.withUTF8 { name in
                value.withUTF8 { value in
                    if let nameBytes = name.baseAddress, let valueBytes = value.baseAddress,
                        assembler.repeats(nameBytes, name.count, valueBytes, value.count)
                    {
                        return
                    }
                    _ = assembler.add(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer(value))
                }
            }
        }
    }

    private static func take(_ block: Block, _ assembler: inout HeadAssembler) -> HTTPRequestHead? {
        assembler.begin(.request)
        add(block, to: &assembler)
        return assembler.takeRequest(.http)
    }

    private static func text(_ head: HTTPRequestHead?) -> String {
        guard let head else { return "refused" }
        var text = "\(head.method) \(head.scheme ?? "-") \(head.path) \(head.authority ?? "-")"
        head.fields.forEach { name, value in
            text += "\n\(String(decoding: name, as: UTF8.self)): \(String(decoding: value, as: UTF8.self))"
        }
        let looked = "\(head.fields.count(of: .te)) \(head.fields.count(of: .host))"
        return "\(text)\n\(looked) \(head.fields.first(.grpcTimeout) ?? "-")"
    }

    private static func expectEqual(_ blocks: [Block]) {
        var assembler = HeadAssembler(limits: HTTPLimits())
        var held: [(HTTPRequestHead?, String)] = []
        for block in blocks {
            var fresh = HeadAssembler(limits: HTTPLimits())
            let expected = text(take(block, &fresh))
            let head = take(block, &assembler)
            #expect(text(head) == expected)
            held.append((head, expected))
        }
        // Nothing that came later has changed them.
        for (head, expected) in held { #expect(text(head) == expected) }
    }

    @Test func `the same head again shares its memory`() throws {
        var assembler = HeadAssembler(limits: HTTPLimits())
        let first = try #require(Self.take(Self.usual, &assembler))
        let second = try #require(Self.take(Self.usual, &assembler))
        #expect(first.fields.storage === second.fields.storage)
        #expect(Self.text(first) == Self.text(second))
        assembler.trim()
        let third = try #require(Self.take(Self.usual, &assembler))
        #expect(first.fields.storage !== third.fields.storage)
    }

    @Test func `a head that differs at any place`() {
        for index in Self.usual.indices {
            for value in ["", "other", "x", " padded ", "/p"] {
                var changed = Self.usual
                changed[index].value = value
                Self.expectEqual([Self.usual, changed, Self.usual, Self.usual, changed, changed])
            }
            var renamed = Self.usual
            renamed[index].name = "x-else"
            Self.expectEqual([Self.usual, renamed, renamed, Self.usual])
            Self.expectEqual([Self.usual, Array(Self.usual[..<index]), Self.usual])
            Self.expectEqual([Array(Self.usual[..<index]), Self.usual, Array(Self.usual[..<index])])
            var without = Self.usual
            without.remove(at: index)
            Self.expectEqual([Self.usual, without, without, Self.usual])
            var repeated = Self.usual
            repeated.insert(Self.usual[index], at: index)
            Self.expectEqual([Self.usual, repeated, repeated, Self.usual])
        }
    }

    @Test func `heads of many sizes, larger than what is kept too`() {
        let large = (0..<200).map { (name: "x-\($0)", value: String(repeating: "v", count: $0)) }
        for count in [1, 10, 20, 30, 60, 200] {
            let block = Self.usual + large[..<count]
            Self.expectEqual([Self.usual, block, block, Self.usual + large[..<(count / 2)], block, Self.usual])
        }
    }

    @Test func `M9: host without authority`() {
        let head: Block = [(":method", "POST"), (":scheme", "http"), (":path", "/"), ("host", "h")]
        Self.expectEqual([head, head, head + [("host", "i")], head])
    }

    @Test func `trailers and refused heads between`() throws {
        var assembler = HeadAssembler(limits: HTTPLimits())
        let expected = Self.text(Self.take(Self.usual, &assembler))
        assembler.begin(.requestTrailers)
        Self.add([("te", "trailers"), ("x", "y")], to: &assembler)
        #expect(assembler.takeTrailers()?.count == 2)
        #expect(Self.text(Self.take(Self.usual, &assembler)) == expected)
        // Never taken: its stream was refused in the middle.
        assembler.begin(.request)
        Self.add(Array(Self.usual[..<5]) + [("a", "b")], to: &assembler)
        #expect(Self.text(Self.take(Self.usual, &assembler)) == expected)
        // Taken and refused.
        #expect(Self.take([(":method", "POST"), (":path", "*"), (":scheme", "http")], &assembler) == nil)
        #expect(Self.text(Self.take(Self.usual, &assembler)) == expected)
    }

    @Test func `a head that somebody changes is not the next one's`() throws {
        var assembler = HeadAssembler(limits: HTTPLimits())
        var first = try #require(Self.take(Self.usual, &assembler))
        let expected = Self.text(first)
        first.fields.append(.vary, "x")
        first.fields.removeAll(.te)
        #expect(Self.text(Self.take(Self.usual, &assembler)) == expected)
    }

    @Test func `random heads, with memory that is used again`() {
        var random = SystemRandomNumberGenerator()
        var assembler = HeadAssembler(limits: HTTPLimits())
        var open: [HTTPRequestHead] = []
        for _ in 0..<3_000 {
            var block = Self.usual
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let index = Int.random(in: block.indices, using: &random)
                if Bool.random() { block[index].value = "/\(Int.random(in: 0...3, using: &random))" }
                if Bool.random() { block.append(("x-\(index)", String(repeating: "z", count: index * 9))) }
            }
            var fresh = HeadAssembler(limits: HTTPLimits())
            let head = Self.take(block, &assembler)
            #expect(Self.text(head) == Self.text(Self.take(block, &fresh)))
            if let head { open.append(head) }
            if open.count > 4 {
                var closed = open.remove(at: Int.random(in: open.indices, using: &random))
                if let storage = closed.takeStorage() { assembler.reuse(storage) }
            }
        }
    }
}
