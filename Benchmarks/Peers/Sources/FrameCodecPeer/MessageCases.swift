import FrameCodec

/// Encode, decode, decode and touch one field, JSON both ways, and copying the same bytes.
enum MessageCases {
    static var all: [CodecCase] {
        shape("mixed", SampleData.repositories(1000)) { Int($0.repositories[0].id) }
            + shape("numbers", SampleData.numbers(1000)) { Int($0.samples[0].count) }
            + shape("strings", SampleData.strings(1000)) { $0.people[0].name.utf8.count }
            + shape("maps", SampleData.maps(1000)) { $0.counts.count }
            + shape("nesting", SampleData.nesting(chains: 20, depth: 60)) { Int($0.chains[0].value) }
            + shape("blob", SampleData.blob(1 << 20)) { $0.name.utf8.count }
    }

    /// What the peers read, so that all of them have the same messages.
    static var files: [(name: String, bytes: [UInt8], json: [UInt8])] {
        [
            file("mixed", SampleData.repositories(1000)), file("numbers", SampleData.numbers(1000)),
            file("strings", SampleData.strings(1000)), file("maps", SampleData.maps(1000)),
            file("nesting", SampleData.nesting(chains: 20, depth: 60)), file("blob", SampleData.blob(1 << 20))
        ]
    }

    private static func file(_ name: String, _ message: some Message) -> (String, [UInt8], [UInt8]) {
        (name, message.serializedBytes(deterministic: true), (try? message.jsonBytes()) ?? [])
    }

    private static func shape<Type: Message>(
        _ name: String, _ message: Type, touch: @escaping (Type) -> Int
    ) -> [CodecCase] {
        let bytes = message.serializedBytes(deterministic: true)
        // Decoded once, so that strings and arrays lie in memory as they do in a message that was received.
        let message = (try? Type(serializedBytes: bytes)) ?? message
        let json = (try? message.jsonBytes()) ?? []
        return [
            CodecCase(name: "\(name) encode", byteCount: bytes.count) { count in
                for _ in 0..<count { blackHole(message.serializedBytes()) }
            },
            CodecCase(name: "\(name) decode", byteCount: bytes.count) { count in
                for _ in 0..<count { blackHole(try? Type(serializedBytes: bytes)) }
            },
            CodecCase(name: "\(name) touch", byteCount: bytes.count) { count in
                for _ in 0..<count { blackHole((try? Type(serializedBytes: bytes)).map(touch)) }
            },
            CodecCase(name: "\(name) JSON encode", byteCount: json.count) { count in
                for _ in 0..<count { blackHole(try? message.jsonBytes()) }
            },
            CodecCase(name: "\(name) JSON decode", byteCount: json.count) { count in
                for _ in 0..<count { blackHole(try? Type(jsonBytes: json)) }
            },
            copy("\(name) memcpy", bytes)
        ]
    }

    /// Copying `bytes` into memory that is there already: what no codec can go below.
    static func copy(_ name: String, _ bytes: [UInt8]) -> CodecCase {
        let memory = Scratch(byteCount: bytes.count)
        return CodecCase(name: name, byteCount: bytes.count) { count in
            for _ in 0..<count {
                bytes.withUnsafeBytes { memory.bytes.copyMemory(from: $0) }
                blackHole(memory.bytes.baseAddress)
            }
        }
    }
}
