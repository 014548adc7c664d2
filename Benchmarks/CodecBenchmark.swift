/// One operation and how to time it.
struct CodecBenchmark {
    let name: String
    /// What `memcpy` copies for comparison, and what bytes per second count; nil for neither.
    let bytes: [UInt8]?
    let operation: () -> Void

    func measure() -> BenchmarkResult {
        let nanoseconds = Self.median(operation)
        guard let bytes else {
            return BenchmarkResult(
                name: name, nanosecondsPerOperation: nanoseconds, bytesPerSecond: nil, ratioToMemcpy: nil)
        }
        let memory = Scratch(byteCount: bytes.count)
        let copy = Self.median {
            bytes.withUnsafeBytes { memory.bytes.copyMemory(from: $0) }
            blackHole(memory.bytes.baseAddress)
        }
        return BenchmarkResult(
            name: name,
            nanosecondsPerOperation: nanoseconds,
            bytesPerSecond: Double(bytes.count) / nanoseconds * 1e9,
            ratioToMemcpy: nanoseconds / copy
        )
    }

    /// Nanoseconds per call: warm-up, then the median of rounds of about 10 ms each.
    private static func median(_ operation: () -> Void) -> Double {
        var count = 1
        while true {
            let elapsed = nanoseconds(of: operation, count: count)
            if elapsed >= 10_000_000 { break }
            // Aim at 10 ms; at least double, so that a coarse clock cannot keep the loop small.
            count = max(count * 2, Int(Double(count) * 10_000_000 / max(elapsed, 1000)))
        }
        let rounds = (0..<25).map { _ in nanoseconds(of: operation, count: count) / Double(count) }.sorted()
        return rounds[rounds.count / 2]
    }

    private static func nanoseconds(of operation: () -> Void, count: Int) -> Double {
        let clock = ContinuousClock()
        let elapsed = clock.measure { for _ in 0..<count { operation() } }
        let (seconds, attoseconds) = elapsed.components
        return Double(seconds) * 1e9 + Double(attoseconds) / 1e9
    }
}

/// Makes the optimiser believe that somebody looks at `value`.
@inline(never)
@_optimize(none)
func blackHole<Value>(_ value: Value) {}

/// Memory that benchmarks write into.
final class Scratch {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 16)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
}
