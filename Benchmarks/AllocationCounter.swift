import Foundation

/// Counts the allocations of a server process: `Benchmarks/Peers/allocation_counter.c`, compiled here and preloaded
/// into it, counts into a file that this process reads. C's allocator is what Swift objects and nghttp2's blocks end
/// in.
struct AllocationCounter {
    /// For the server's process.
    let environment: [String: String]
    private let file: String

    /// nil when there is no C compiler.
    init?(folder: String) {
        let source = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("Peers/allocation_counter.c").path
        let library = "\(folder)/allocation_counter.so"
        let arguments = ["-O2", "-shared", "-fPIC", "-o", library, source]
        let isCompiled = ["cc", "clang"].contains { (try? ChildProcess.output($0, arguments)) != nil }
        guard isCompiled else { return nil }
        file = "\(folder)/allocations"
        environment = ["LD_PRELOAD": library, "ALLOCATION_COUNT_FILE": file]
    }

    /// Allocations of all its threads so far.
    var count: Int {
        guard let bytes = FileManager.default.contents(atPath: file), bytes.count == 8 else { return 0 }
        return Int(truncatingIfNeeded: bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    }
}
