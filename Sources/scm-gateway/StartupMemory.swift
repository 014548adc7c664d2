import Foundation

/// Memory that only starting needed.
///
/// Starting runs a little of everything: types are made known, tables filled. For each place touched the kernel maps
/// 64 KiB of the program around it, so a server that waits has nearly all of its code in resident memory, calls or not.
enum StartupMemory {
    /// Takes the code out of this process's memory; what is used comes back page by page, from the system's file cache.
    ///
    /// Only mappings of files that can be executed and not written: their pages are as they are in the file (nothing
    /// here relocates code), so none of them can be lost. Read-only data is left alone: it holds relocated addresses.
    static func giveBack() {
        #if os(Linux)
            guard let maps = try? String(contentsOfFile: "/proc/self/maps", encoding: .utf8) else { return }
            for line in maps.split(separator: "\n") {
                // start-end permissions offset device inode path
                let parts = line.split(separator: " ")
                guard parts.count >= 6, parts[1] == "r-xp", parts[5].hasPrefix("/") else { continue }
                let ends = parts[0].split(separator: "-").compactMap { UInt($0, radix: 16) }
                guard ends.count == 2, ends[0] < ends[1] else { continue }
                // It fails where it is not allowed, and then nothing has changed.
                madvise(UnsafeMutableRawPointer(bitPattern: ends[0]), Int(ends[1] - ends[0]), MADV_DONTNEED)
            }
        #endif
    }
}
