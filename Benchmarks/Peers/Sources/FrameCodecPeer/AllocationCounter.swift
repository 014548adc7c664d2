import Glibc

/// Allocations of this thread so far, as counted by the library that `scripts/benchmark-peers` preloads
/// (Benchmarks/Peers/allocation_counter.c). It wraps `malloc` and its relatives, so it counts what Swift and C++ do
/// alike.
enum AllocationCounter {
    private typealias Function = @convention(c) () -> UInt64

    private static let function: Function? = dlsym(dlopen(nil, RTLD_NOW), "benchmark_allocation_count")
        .map { unsafeBitCast($0, to: Function.self) }

    /// Nil when the library is not there.
    static var value: UInt64? { function?() }
}
