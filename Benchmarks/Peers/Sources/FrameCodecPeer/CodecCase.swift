import Glibc

/// One operation to time, with a name that the peers know too.
struct CodecCase {
    let name: String
    /// Bytes of the message, frame or text that one operation handles; nil where they say nothing about its time.
    let byteCount: Int?
    /// Does it so many times. The loop is inside, so that short operations are not measured with a call around each.
    let run: (_ count: Int) -> Void
}

/// Times a case in rounds of about a millisecond, which are taken in turn with those of the peers. Counts the thread's
/// CPU time, so that waiting for a busy machine's CPU is no part of it.
final class CodecTimer {
    struct Round {
        let nanoseconds: Double
        /// Nil when the process was not started with the allocation counter preloaded.
        let allocations: Double?
    }

    private let benchmark: CodecCase
    private let count: Int

    /// Warms up and finds out how many operations a round takes.
    init(_ benchmark: CodecCase, roundNanoseconds: Double = 1_000_000) {
        self.benchmark = benchmark
        var count = 1
        while true {
            let elapsed = Self.nanoseconds { benchmark.run(count) }
            if elapsed >= roundNanoseconds / 2 || count > 1 << 40 { break }
            // At least double, so that a coarse clock cannot keep the loop small.
            count = max(count * 2, Int(Double(count) * roundNanoseconds / max(elapsed, 1000)))
        }
        self.count = count
    }

    /// Time and allocations of one operation, over one round.
    func round() -> Round {
        let before = AllocationCounter.value
        let elapsed = Self.nanoseconds { benchmark.run(count) }
        let after = AllocationCounter.value
        let allocations = before.flatMap { before in after.map { Double($0 - before) / Double(count) } }
        return Round(nanoseconds: elapsed / Double(count), allocations: allocations)
    }

    private static func nanoseconds(_ body: () -> Void) -> Double {
        let start = cpuTime()
        body()
        return cpuTime() - start
    }

    private static func cpuTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }
}

/// Makes the optimiser believe that somebody looks at `value`.
@inline(never)
@_optimize(none)
func blackHole<Value>(_ value: Value) {}

/// Memory that benchmarks write into. It begins with a page, so that copies into it are alike.
final class Scratch {
    let bytes: UnsafeMutableRawBufferPointer

    init(byteCount: Int) {
        bytes = .allocate(byteCount: byteCount, alignment: 4096)
        bytes.initializeMemory(as: UInt8.self, repeating: 0)
    }

    deinit { bytes.deallocate() }
}
