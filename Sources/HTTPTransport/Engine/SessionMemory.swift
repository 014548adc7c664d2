import CNGHTTP2

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Where one nghttp2 session takes its memory from: blocks that it gives back are kept in lists by size, so that the
/// next request finds them without asking the allocator. A session makes about ten short-lived blocks for each stream.
///
///     block:  | size class | payload ...      (a kept block: | size class | next block | ...)
///             0            16
///
/// The two large blocks that it has from begin to end lie in ``SessionPages``, without a head.
///
/// Not thread-safe, as the session is not.
struct SessionMemory {
    /// Payload bytes of size class n are n times this; class 0 is for larger blocks, which are not kept.
    private static let stride = 32
    private static let classCount = 33
    /// Keeps the payload aligned for any C type.
    private static let headerByteCount = 16
    /// Every page begins at a multiple of this.
    private static let smallestPage: UInt = 4096

    private struct State {
        var pages: SessionPages?
        var givesPages = true
    }

    private static let listsOffset = 64

    /// The state, then the first kept block of each class.
    private let base: UnsafeMutableRawPointer

    private var state: UnsafeMutablePointer<State> { base.assumingMemoryBound(to: State.self) }
    private var lists: UnsafeMutablePointer<UnsafeMutableRawPointer?> {
        (base + Self.listsOffset).assumingMemoryBound(to: UnsafeMutableRawPointer?.self)
    }

    init() {
        precondition(MemoryLayout<State>.size <= Self.listsOffset)
        let listsByteCount = Self.classCount * MemoryLayout<UnsafeMutableRawPointer?>.stride
        base = .allocate(byteCount: Self.listsOffset + listsByteCount, alignment: 16)
        base.initializeMemory(as: State.self, to: State(pages: SessionPages()))
        (base + Self.listsOffset).initializeMemory(
            as: UnsafeMutableRawPointer?.self, repeating: nil, count: Self.classCount)
    }

    /// nghttp2 copies this table; `self` must outlive the session.
    var callbacks: nghttp2_mem {
        nghttp2_mem(
            mem_user_data: base,
            malloc: { SessionMemory(user: $1)?.allocate($0) },
            free: { SessionMemory(user: $1)?.free($0) },
            calloc: { SessionMemory(user: $2)?.allocateCleared($0, $1) },
            realloc: { SessionMemory(user: $2)?.reallocate($0, $1) })
    }

    /// The session is complete: only what it has by now lies in its pages.
    func didMakeSession() { state.pointee.givesPages = false }

    /// Gives the kept blocks back to the system.
    func trim() {
        for index in 1..<Self.classCount {
            while let block = lists[index] {
                lists[index] = block.load(fromByteOffset: Self.headerByteCount, as: UnsafeMutableRawPointer?.self)
                Self.release(block)
            }
        }
    }

    /// Gives back the memory of the frame buffer too, whose contents are lost: the session has nothing to send.
    func releasePages() { state.pointee.pages?.release() }

    /// After the session's end.
    func destroy() {
        trim()
        state.pointee.pages.take()?.destroy()
        base.deallocate()
    }

    private init?(user: UnsafeMutableRawPointer?) {
        guard let user else { return nil }
        base = user
    }

    private func allocate(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        guard byteCount >= 0, byteCount < Int.max - 64 else { return nil }
        let sizeClass = (byteCount + Self.stride - 1) / Self.stride
        if sizeClass > 0, sizeClass < Self.classCount {
            if let block = lists[sizeClass] {
                let payload = block + Self.headerByteCount
                lists[sizeClass] = payload.load(as: UnsafeMutableRawPointer?.self)
                return payload
            }
            return Self.acquire(sizeClass * Self.stride, sizeClass)
        }
        return takePage(byteCount) ?? Self.acquire(byteCount, 0)
    }

    private func takePage(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        state.pointee.givesPages ? state.pointee.pages?.take(byteCount) : nil
    }

    /// Room of a block that lies in the pages; nil for all others.
    private func pageCapacity(_ payload: UnsafeMutableRawPointer) -> Int? {
        guard UInt(bitPattern: payload) % Self.smallestPage == 0 else { return nil }
        return state.pointee.pages?.capacity(at: payload)
    }

    private func free(_ payload: UnsafeMutableRawPointer?) {
        guard let payload, pageCapacity(payload) == nil else { return }
        let block = payload - Self.headerByteCount
        let sizeClass = block.load(as: Int.self)
        guard sizeClass > 0 else { return Self.release(block) }
        payload.storeBytes(of: lists[sizeClass], as: UnsafeMutableRawPointer?.self)
        lists[sizeClass] = block
    }

    private func allocateCleared(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
        let (byteCount, overflow) = count.multipliedReportingOverflow(by: size)
        guard !overflow else { return nil }
        // Not written to, so that they take no memory yet.
        if byteCount > Self.classCount * Self.stride, let zeros = takePage(byteCount) { return zeros }
        guard let payload = allocate(byteCount) else { return nil }
        memset(payload, 0, byteCount)
        return payload
    }

    private func reallocate(_ payload: UnsafeMutableRawPointer?, _ byteCount: Int) -> UnsafeMutableRawPointer? {
        guard let payload else { return allocate(byteCount) }
        if let present = pageCapacity(payload) {
            if byteCount <= present { return payload }
            guard let moved = allocate(byteCount) else { return nil }
            moved.copyMemory(from: payload, byteCount: present)
            return moved
        }
        let block = payload - Self.headerByteCount
        let sizeClass = block.load(as: Int.self)
        guard sizeClass > 0 else {
            guard byteCount >= 0, byteCount < Int.max - 64 else { return nil }
            return realloc(block, byteCount + Self.headerByteCount).map { $0 + Self.headerByteCount }
        }
        let present = sizeClass * Self.stride
        if byteCount <= present { return payload }
        guard let moved = allocate(byteCount) else { return nil }
        moved.copyMemory(from: payload, byteCount: present)
        free(payload)
        return moved
    }

    // The C library's own functions and not `allocate`/`deallocate`: large blocks are grown with `realloc`.
    private static func acquire(_ byteCount: Int, _ sizeClass: Int) -> UnsafeMutableRawPointer? {
        guard let block = malloc(byteCount + headerByteCount) else { return nil }
        block.storeBytes(of: sizeClass, as: Int.self)
        return block + headerByteCount
    }

    private static func release(_ block: UnsafeMutableRawPointer) {
        #if canImport(Glibc)
            Glibc.free(block)
        #elseif canImport(Musl)
            Musl.free(block)
        #elseif canImport(Darwin)
            Darwin.free(block)
        #endif
    }
}
