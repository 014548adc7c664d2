import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct HTTPFieldsTests {
    @Test func `fields keep order and duplicates`() throws {
        let custom = try #require(HTTPFieldName("X-Custom"))
        var fields = HTTPFields()
        fields.append(.contentType, "a/b")
        fields.append(custom, "1")
        fields.append(custom, bytes: [0x32])
        fields.append(.grpcStatus, "0")
        #expect(TestEngine.text(fields) == "content-type: a/b; x-custom: 1; x-custom: 2; grpc-status: 0")
        #expect(fields.count == 4)
        #expect(fields.count(of: custom) == 2)
        #expect(fields.values(custom) == ["1", "2"])
        #expect(fields.first(.grpcStatus) == "0")
        #expect(fields.first(.te) == nil)
        fields.removeAll(custom)
        #expect(TestEngine.text(fields) == "content-type: a/b; grpc-status: 0")
    }

    @Test func `copies are independent`() {
        var first = HTTPFields()
        first.append(.te, "trailers")
        var second = first
        second.append(.host, "x")
        first.append(.origin, "o")
        #expect(TestEngine.text(first) == "te: trailers; origin: o")
        #expect(TestEngine.text(second) == "te: trailers; host: x")
        #expect(first != second)
        #expect(first == [.te: "trailers", .origin: "o"])
    }

    @Test func `many fields grow the storage`() throws {
        var fields = HTTPFields()
        for index in 0..<1_000 {
            fields.append(
                try #require(HTTPFieldName("name-\(index)")), String(repeating: "v", count: index % 50))
        }
        #expect(fields.count == 1_000)
        #expect(fields.first(try #require(HTTPFieldName("name-777"))) == String(repeating: "v", count: 27))
        #expect(fields.listByteCount > 32_000)
    }

    @Test func `W3 a value cannot start a new line`() {
        var fields = HTTPFields()
        fields.append(.grpcMessage, "a\r\nx: y\u{0}z")
        #expect(fields.first(.grpcMessage) == "a  x: y z")
    }

    @Test(arguments: [0, 1, 6, 7, 8, 9, 15, 16, 17, 40])
    func `W3 a line break is found wherever it stands, beside any other byte`(place: Int) {
        for other in [0x20, 0x21, 0x7F, 0x80, 0xA0, 0xFF] as [UInt8] {
            var value = [UInt8](repeating: other, count: 41)
            var fields = HTTPFields()
            fields.append(.grpcMessage, bytes: value)
            value[place] = 0x0A
            fields.append(.grpcMessage, bytes: value)
            value[place] = 0x20
            var seen: [[UInt8]] = []
            fields.forEach { _, bytes in seen.append(Array(bytes)) }
            #expect(seen == [[UInt8](repeating: other, count: 41), value])
        }
    }

    @Test func `sets of fields are added whole, order and duplicates kept`() throws {
        let custom = try #require(HTTPFieldName("x-custom"))
        var fields: HTTPFields = [.te: "trailers"]
        fields.append(contentsOf: [custom: "1", .contentType: "a/b", custom: "2"])
        fields.append(contentsOf: HTTPFields())
        fields.append(contentsOf: fields)
        let one = "te: trailers; x-custom: 1; content-type: a/b; x-custom: 2"
        #expect(TestEngine.text(fields) == "\(one); \(one)")
    }

    @Test func `M12 fields of known names are counted, one or more, in copies and in the begin of others too`() throws {
        var fields: HTTPFields = [.te: "trailers", .contentType: "a/b", .xSiloViewer: "user"]
        #expect(fields.count(of: .te) == 1 && fields.count(of: .xSiloViewer) == 1)
        #expect(fields.count(of: .grpcTimeout) == 0)
        let one = fields
        fields.append(.te, "x")
        #expect(fields.count(of: .te) == 2 && fields.count(of: .contentType) == 1)
        #expect(one.count(of: .te) == 1)
        let two = try #require(fields.storage)
        fields.append(contentsOf: one)
        #expect(fields.count(of: .te) == 3 && fields.count(of: .contentType) == 2)
        for (entryCount, count) in [(1, 1), (3, 1), (4, 2)] {
            let begin = FieldStorage.make(capacity: 512)
            let byteCount = Int(two.entry(at: entryCount - 1).offset)
            begin.copyBegin(of: two, entryCount: entryCount, byteCount: byteCount)
            #expect(HTTPFields(storage: begin).count(of: .te) == count, "\(entryCount)")
            begin.removeAll()
            #expect(HTTPFields(storage: begin).count(of: .te) == 0)
        }
        fields.removeAll(.te)
        #expect(fields.count(of: .te) == 0 && fields.count(of: .contentType) == 2)
        fields.append(.te, "y")
        #expect(fields.count(of: .te) == 1)
    }

    @Test func `M10 no name of ours has an underscore or a dot, which some proxies drop`() {
        for raw in 1...UInt8.max {
            guard let token = FieldToken(rawValue: raw) else { break }
            #expect(!"\(token.name)".contains { $0 == "_" || $0 == "." })
        }
    }

    @Test func `every known name is recognised, and only it`() {
        for raw in 1...UInt8.max {
            guard let token = FieldToken(rawValue: raw) else { break }
            #expect(FieldToken.recognise(token.bytes) == token, "\(token.name)")
        }
        for text in ["", "x", "tf", "grpc-statuz", "content-typE", "hosts"] {
            var copy = text
            copy.withUTF8 { #expect(FieldToken.recognise(UnsafeRawBufferPointer($0)) == .other) }
        }
    }

    @Test(arguments: ["", "a b", "a:", "ä", "a\n"]) func `impossible names are refused`(name: String) {
        #expect(HTTPFieldName(name) == nil)
    }

    @Test func `names and methods`() {
        #expect(HTTPFieldName("Content-Type") == .contentType)
        #expect(HTTPFieldName("X-A")?.description == "x-a")
        #expect(HTTPMethod("POST") == .post)
        #expect(HTTPMethod("PURGE")?.description == "PURGE")
        #expect(HTTPMethod("post") != .post)
        #expect(HTTPMethod("a b") == nil)
    }

    @Test func `changing received fields leaves path and authority alone`() {
        var assembler = HeadAssembler(limits: HTTPLimits())
        assembler.begin(.request)
        for (name, value) in [
            (":method", "POST"), (":path", "/p"), (":scheme", "http"), (":authority", "h"), ("a", "b"),
        ] {
            var name = name
            var value = value
            let accepted = name.withUTF8 { name in
                value.withUTF8 {
                    assembler.add(name: UnsafeRawBufferPointer(name), value: UnsafeRawBufferPointer($0))
                }
            }
            #expect(accepted == nil)
        }
        var head = assembler.takeRequest(.http)
        for index in 0..<200 { head?.fields.append(.vary, "value \(index)") }
        #expect(head?.path == "/p")
        #expect(head?.authority == "h")
        #expect(head?.fields.count == 201)
    }
}
