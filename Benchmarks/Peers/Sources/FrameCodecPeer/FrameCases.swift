import FrameCodec

/// Frames and text mode; no message inside.
enum FrameCases {
    static var all: [CodecCase] { frames + text }

    private static var frames: [CodecCase] {
        [("16 B", 16), ("1 KiB", 1024), ("64 KiB", 65536)].flatMap { label, byteCount in
            let payload = SampleData.bytes(byteCount)
            let memory = Scratch(byteCount: 4096 + payload.count)
            return [
                encode("frame \(label) encode", payload, memory), decode("frame \(label) decode", payload),
                MessageCases.copy("frame \(label) memcpy", payload, into: memory, at: 4096)
            ]
        }
    }

    /// The payload goes where `memcpy` puts it, and that is where a page begins: across cache lines or onto
    /// addresses that look alike to the processor, a copy takes up to a third longer, whoever makes it.
    private static func encode(_ name: String, _ payload: [UInt8], _ memory: Scratch) -> CodecCase {
        CodecCase(name: name, byteCount: payload.count) { count in
            let frame = UnsafeMutableRawBufferPointer(rebasing: memory.bytes[(4096 - FrameHeader.byteCount)...])
            for _ in 0..<count {
                FrameHeader(payloadByteCount: UInt32(payload.count)).write(into: frame)
                payload.withUnsafeBytes { source in
                    UnsafeMutableRawBufferPointer(rebasing: frame[FrameHeader.byteCount...])
                        .copyMemory(from: source)
                }
                blackHole(frame.baseAddress)
            }
        }
    }

    /// Walks along eight frames, one behind the other, as a receive buffer holds them.
    private static func decode(_ name: String, _ payload: [UInt8]) -> CodecCase {
        let frame = FrameHeader(payloadByteCount: UInt32(payload.count)).bytes + payload
        let stream = [[UInt8]](repeating: frame, count: 8).flatMap { $0 }
        let reader = FrameReader(maximumPayloadByteCount: 4 << 20, allowedFlags: .compressed)
        return CodecCase(name: name, byteCount: nil) { count in
            stream.withUnsafeBytes { stream in
                var unread = stream
                for _ in 0..<count {
                    if unread.isEmpty { unread = stream }
                    guard let slice = try? reader.next(unread) else { return }
                    unread = UnsafeRawBufferPointer(rebasing: unread[slice.consumed...])
                }
                blackHole(unread.count)
            }
        }
    }

    private static var text: [CodecCase] {
        let bytes = SampleData.bytes(65536)
        let text = Base64.encode(bytes)
        let memory = Scratch(byteCount: Base64.encodedByteCount(bytes.count + 2) + 8)
        return [
            CodecCase(name: "text 64 KiB encode", byteCount: bytes.count) { count in
                for _ in 0..<count {
                    var encoder = Base64StreamEncoder()
                    bytes.withUnsafeBytes { blackHole(encoder.encode($0, into: memory.bytes)) }
                }
            },
            CodecCase(name: "text 64 KiB decode", byteCount: bytes.count) { count in
                for _ in 0..<count {
                    var decoder = Base64StreamDecoder()
                    text.withUnsafeBytes { blackHole(try? decoder.decode($0, into: memory.bytes)) }
                }
            },
            MessageCases.copy("text 64 KiB memcpy", bytes)
        ]
    }
}
