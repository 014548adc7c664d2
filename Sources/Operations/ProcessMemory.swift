import Foundation

/// How this process's C library keeps its memory.
public enum ProcessMemory {
    /// glibc's `M_ARENA_MAX` (`malloc.h`, which is not part of Swift's Glibc module).
    private static let arenaMaximum: Int32 = -8

    /// Limits the number of glibc's arenas to one for each core, and at least two; without, it is eight for each core.
    /// Results of git are kept on one thread and dropped on another: with many arenas the free memory of each is too
    /// scattered to be of use to the others, and grows for a long time.
    ///
    /// To be called before a second thread starts. Does nothing where the C library is another one, or where the
    /// operator has chosen: `MALLOC_ARENA_MAX`, `GLIBC_TUNABLES`.
    public static func limitArenas() {
        let count = Int32(clamping: max(2, ProcessInfo.processInfo.activeProcessorCount))
        typealias Function = @convention(c) (Int32, Int32) -> Int32
        guard getenv("MALLOC_ARENA_MAX") == nil, getenv("GLIBC_TUNABLES") == nil,
            let symbol = dlsym(nil, "mallopt")
        else { return }
        _ = unsafeBitCast(symbol, to: Function.self)(arenaMaximum, count)
    }
}
