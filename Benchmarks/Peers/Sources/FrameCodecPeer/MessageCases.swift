import FrameCodec

/// Encode, decode, check and decode one field, JSON both ways, and copying the same bytes.
enum MessageCases {
    static var all: [CodecCase] {
        shape("mixed", SampleData.repositories(1000)) { $0.repositories.first { _ in true }?.id }
            + shape("numbers", SampleData.numbers(1000)) { $0.samples.first { _ in true }?.count }
            + shape("strings", SampleData.strings(1000)) { $0.people.first { _ in true }?.name }
            + shape("maps", SampleData.maps(1000)) { $0.counts }
            + shape("nesting", SampleData.nesting(chains: 20, depth: 60)) { $0.chains.first { _ in true }?.value }
            + shape("blob", SampleData.blob(1 << 20)) { $0.name }
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
        _ name: String, _ message: Type, touch: @escaping (MessageView<Type>) -> (any Sendable)?
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
                for _ in 0..<count { blackHole((try? MessageView<Type>(serializedBytes: bytes)).map(touch)) }
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
    static func copy(
        _ name: String, _ bytes: [UInt8], into memory: Scratch? = nil, at offset: Int = 0
    ) -> CodecCase {
        let memory = memory ?? Scratch(byteCount: bytes.count)
        return CodecCase(name: name, byteCount: bytes.count) { count in
            let target = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[offset...])
            for _ in 0..<count {
                bytes.withUnsafeBytes { target.copyMemory(from: $0) }
                blackHole(target.baseAddress)
            }
        }
    }
}
