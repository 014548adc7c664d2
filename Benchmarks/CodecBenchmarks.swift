import FrameCodec
import ScmAPI

/// One measured line.
struct BenchmarkResult: Sendable {
    let name: String
    /// Median over the rounds.
    let nanosecondsPerOperation: Double
    /// Nil where bytes say nothing.
    let bytesPerSecond: Double?
    /// Time as a multiple of what copying the same bytes takes in the same run; nil where that says nothing.
    let ratioToMemcpy: Double?
}

/// Frames, text mode and messages, each against `memcpy` of the same bytes.
enum CodecBenchmarks {
    /// - Parameter filter: only benchmarks whose name contains it; nil for all.
    static func run(filter: String?) -> [BenchmarkResult] {
        let benchmarks = frameBenchmarks() + textBenchmarks() + messageBenchmarks()
        return benchmarks.filter { filter.map($0.name.contains) ?? true }.map { $0.measure() }
    }

    private static func frameBenchmarks() -> [CodecBenchmark] {
        [("16 B", 16), ("1 KiB", 1024), ("64 KiB", 65536)].flatMap { label, byteCount in
            let payload = SampleData.bytes(byteCount)
            let frame = FrameHeader(payloadByteCount: UInt32(byteCount)).bytes + payload
            let reader = FrameReader(maximumPayloadByteCount: 4 << 20, allowedFlags: .compressed)
            let memory = Scratch(byteCount: frame.count)
            return [
                CodecBenchmark(name: "frame encode \(label)", bytes: payload) {
                    let target = memory.bytes
                    FrameHeader(payloadByteCount: UInt32(payload.count)).write(into: target)
                    payload.withUnsafeBytes { source in
                        UnsafeMutableRawBufferPointer(rebasing: target[FrameHeader.byteCount...]).copyMemory(
                            from: source)
                    }
                    blackHole(target.baseAddress)
                },
                CodecBenchmark(name: "frame decode \(label)", bytes: nil) {
                    frame.withUnsafeBytes { bytes in
                        blackHole(try? reader.next(bytes))
                    }
                }
            ]
        }
    }

    private static func textBenchmarks() -> [CodecBenchmark] {
        let bytes = SampleData.bytes(65536)
        let text = Base64.encode(bytes)
        let memory = Scratch(byteCount: Base64.encodedByteCount(bytes.count + 2) + 8)
        return [
            CodecBenchmark(name: "text mode encode 64 KiB", bytes: bytes) {
                var encoder = Base64StreamEncoder()
                bytes.withUnsafeBytes { blackHole(encoder.encode($0, into: memory.bytes)) }
            },
            CodecBenchmark(name: "text mode decode 64 KiB", bytes: bytes) {
                var decoder = Base64StreamDecoder()
                text.withUnsafeBytes { blackHole(try? decoder.decode($0, into: memory.bytes)) }
            }
        ]
    }

    private static func messageBenchmarks() -> [CodecBenchmark] {
        let message = SampleData.repositories(1000)
        let bytes = message.serializedBytes()
        let json = (try? message.jsonBytes()) ?? []
        return [
            CodecBenchmark(name: "encode 1000 repositories", bytes: bytes) {
                blackHole(message.serializedBytes())
            },
            CodecBenchmark(name: "decode 1000 repositories", bytes: bytes) {
                blackHole(try? type(of: message).init(serializedBytes: bytes))
            },
            CodecBenchmark(name: "view 1000 repositories, one field", bytes: bytes) {
                let view = try? MessageView<ListRepositoriesResponse>(serializedBytes: bytes)
                blackHole(view?.totalSize)
            },
            CodecBenchmark(name: "JSON encode 1000 repositories", bytes: json) {
                blackHole(try? message.jsonBytes())
            },
            CodecBenchmark(name: "JSON decode 1000 repositories", bytes: json) {
                blackHole(try? type(of: message).init(jsonBytes: json))
            }
        ]
    }
}
