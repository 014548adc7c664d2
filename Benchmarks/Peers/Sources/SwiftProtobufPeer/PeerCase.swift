import Foundation

struct PeerCase {
    let name: String
    let byteCount: Int
    let run: (_ count: Int) -> Void

    init(_ name: String, _ byteCount: Int, run: @escaping (_ count: Int) -> Void) {
        self.name = name
        self.byteCount = byteCount
        self.run = run
    }

    /// CPU time of this thread: waiting for a busy machine's CPU is no part of it.
    func nanoseconds(_ count: Int) -> Double {
        let start = cpuTime()
        run(count)
        return cpuTime() - start
    }

    private func cpuTime() -> Double {
        var time = timespec()
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e9 + Double(time.tv_nsec)
    }

    /// Operations that take about 1 ms together.
    func calibrated() -> Int {
        var count = 1
        while true {
            let elapsed = nanoseconds(count)
            if elapsed >= 500_000 { return count }
            count = max(count * 2, Int(Double(count) * 1_000_000 / max(elapsed, 1000)))
        }
    }
}

@inline(never)
@_optimize(none)
func blackHole<Value>(_ value: Value) {}

/// The driver waits for each line: none may stay in a buffer.
func answer(_ line: String) {
    print(line)
    fflush(nil)
}

/// Answers names of cases until the input ends.
func serve(_ cases: [PeerCase]) {
    typealias Counter = @convention(c) () -> UInt64
    let counter = dlsym(dlopen(nil, RTLD_NOW), "benchmark_allocation_count").map { unsafeBitCast($0, to: Counter.self) }
    let byName = Dictionary(uniqueKeysWithValues: cases.map { ($0.name, $0) })
    var counts: [String: Int] = [:]
    answer("ready")
    while let name = readLine() {
        guard let benchmark = byName[name] else {
            answer("unknown")
            continue
        }
        let count = counts[name] ?? benchmark.calibrated()
        counts[name] = count
        let before = counter?()
        let elapsed = benchmark.nanoseconds(count)
        let after = counter?()
        let allocations = before.flatMap { before in after.map { "\(Double($0 - before) / Double(count))" } } ?? "-"
        answer("\(elapsed / Double(count)) \(allocations) \(benchmark.byteCount)")
    }
}
