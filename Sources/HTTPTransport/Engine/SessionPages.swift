import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Whole pages for the two large blocks of one nghttp2 session, so that the system can have their memory while the
/// connection is idle and they stay where they are.
///
///     | table of streams |  frame buffer                    |
///     0                  frameOffset                        byteCount
///
/// The table is empty then, which is all zeros, as new pages are. What the frame buffer holds matters only while a
/// frame is being sent: nghttp2 starts each at the buffer's begin.
///
/// Not thread-safe, as the session is not.
struct SessionPages {
    private static let pageByteCount = max(4096, Int(sysconf(Int32(_SC_PAGESIZE))))
    /// nghttp2 1.52: 256 places of 16 bytes.
    private static let frameOffset = rounded(4096)
    /// NGHTTP2_FRAMEBUF_CHUNKLEN, which is 16 KiB, padding and frame head.
    private static let frameByteCount = rounded(16 * 1024 + 512)
    fileprivate static let byteCount = frameOffset + frameByteCount

    private let base: UnsafeMutableRawPointer
    private var isTableTaken = false
    private var isFrameTaken = false

    /// nil when the system has no memory.
    init?() {
        guard let base = PagePool.shared.take() else { return nil }
        self.base = base
    }

    /// The place for a block of this size, zeros; nil when it is not for here or taken.
    mutating func take(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        // Smaller ones, such as the session itself, would waste the rest of a page.
        if byteCount > Self.frameOffset / 4 * 3, byteCount <= Self.frameOffset, !isTableTaken {
            isTableTaken = true
            return base
        }
        if byteCount > Self.frameOffset, byteCount <= Self.frameByteCount, !isFrameTaken {
            isFrameTaken = true
            return base + Self.frameOffset
        }
        return nil
    }

    /// Room at `block`; nil when it is not one of these.
    func capacity(at block: UnsafeMutableRawPointer) -> Int? {
        if block == base { return Self.frameOffset }
        return block == base + Self.frameOffset ? Self.frameByteCount : nil
    }

    /// Lets the system have the memory of the frame buffer, and that of the table if nothing is in it.
    func release() {
        let table = UnsafeRawBufferPointer(start: base, count: Self.frameOffset)
        let isEmpty = table.withMemoryRebound(to: UInt64.self) { $0.allSatisfy { $0 == 0 } }
        if isEmpty {
            PagePool.clear(base, Self.byteCount)
        } else {
            PagePool.clear(base + Self.frameOffset, Self.frameByteCount)
        }
    }

    /// After the session's end.
    consuming func destroy() { PagePool.shared.giveBack(base) }

    private static func rounded(_ byteCount: Int) -> Int {
        (byteCount + pageByteCount - 1) / pageByteCount * pageByteCount
    }
}

/// Where sessions' pages come from: areas of many of them, so that 10,000 connections are not as many mappings. Places
/// are used again and never unmapped: those that are free take addresses, no memory.
private final class PagePool: Sendable {
    static let shared = PagePool()
    private static let placesPerArea = 64

    /// Addresses of free places.
    private let free = Mutex<[UInt]>([])

    func take() -> UnsafeMutableRawPointer? {
        free.withLock { free in
            if free.isEmpty { free = Self.map() }
            return free.popLast().flatMap { UnsafeMutableRawPointer(bitPattern: $0) }
        }
    }

    func giveBack(_ place: UnsafeMutableRawPointer) {
        Self.clear(place, SessionPages.byteCount)
        free.withLock { $0.append(UInt(bitPattern: place)) }
    }

    /// New places, the first one last.
    private static func map() -> [UInt] {
        let area = mmap(
            nil, SessionPages.byteCount * placesPerArea, PROT_READ | PROT_WRITE, MAP_PRIVATE | anonymous, -1, 0)
        // MAP_FAILED
        guard let area, area != UnsafeMutableRawPointer(bitPattern: -1) else { return [] }
        return (0..<placesPerArea).reversed().map { UInt(bitPattern: area) + UInt($0 * SessionPages.byteCount) }
    }

    /// Makes whole pages zeros, without memory of their own until they are written again.
    static func clear(_ pages: UnsafeMutableRawPointer, _ byteCount: Int) {
        #if os(Linux)
            if madvise(pages, byteCount, MADV_DONTNEED) == 0 { return }
        #endif
        memset(pages, 0, byteCount)
    }

    #if os(Linux)
        private static let anonymous = MAP_ANONYMOUS
    #else
        private static let anonymous = MAP_ANON
    #endif
}
