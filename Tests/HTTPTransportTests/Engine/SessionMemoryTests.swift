import CNGHTTP2
import Testing

@testable import HTTPTransport

/// Through the table of functions that nghttp2 gets.
@Suite(.timeLimit(.minutes(5))) struct SessionMemoryTests {
    /// Both sides of every border of the size classes (32 bytes each, up to 1 KiB), and beyond.
    private static let sizes: [Int] = {
        var sizes = [0, 1, 4_096, 100_000]
        for border in stride(from: 32, through: 33 * 32, by: 32) { sizes += [border - 1, border, border + 1] }
        return sizes
    }()

    private func withMemory<R>(_ body: (SessionMemory, nghttp2_mem) throws -> R) rethrows -> R {
        let memory = SessionMemory()
        defer { memory.destroy() }
        return try body(memory, memory.callbacks)
    }

    @Test func `every byte of every block can be used, and no two blocks overlap`() throws {
        try withMemory { _, table in
            for _ in 0..<2 {
                var blocks: [(UnsafeMutableRawPointer, Int)] = []
                for (index, size) in Self.sizes.enumerated() {
                    let block = try #require(table.allocate(size))
                    #expect(UInt(bitPattern: block) % 16 == 0)
                    block.initializeMemory(as: UInt8.self, repeating: UInt8(index), count: size)
                    blocks.append((block, size))
                }
                for (index, (block, size)) in blocks.enumerated() {
                    let bytes = UnsafeRawBufferPointer(start: block, count: size)
                    #expect(bytes.allSatisfy { $0 == UInt8(index) })
                    table.release(block)
                }
            }
        }
    }

    @Test func `a block that was given back is the next of its class, up to 1 KiB`() throws {
        try withMemory { _, table in
            for size in [1, 32, 33, 64, 200, 500, 993, 1_024] {
                let first = try #require(table.allocate(size))
                table.release(first)
                let sameClass = (size + 31) / 32 * 32
                let second = try #require(table.allocate(sameClass))
                #expect(second == first, "\(size)")
                let other = try #require(table.allocate(sameClass))
                #expect(other != first)
                table.release(second)
                table.release(other)
            }
        }
    }

    @Test func `calloc gives zeros although the block was used before`() throws {
        try withMemory { _, table in
            for size in [8, 32, 40, 1_000, 2_000] {
                let used = try #require(table.allocate(size))
                used.initializeMemory(as: UInt8.self, repeating: 0xFF, count: size)
                table.release(used)
                let cleared = try #require(table.allocateCleared(size / 4, 4))
                #expect(UnsafeRawBufferPointer(start: cleared, count: size).allSatisfy { $0 == 0 })
                table.release(cleared)
            }
        }
    }

    @Test func `realloc keeps the bytes, shrinking and growing, within and across classes`() throws {
        try withMemory { _, table in
            for from in Self.sizes {
                for to in [1, 31, 32, 33, 700, 1_024, 1_025, 5_000] {
                    let block = try #require(table.allocate(from))
                    for index in 0..<from {
                        block.storeBytes(of: UInt8(truncatingIfNeeded: index), toByteOffset: index, as: UInt8.self)
                    }
                    let moved = try #require(table.reallocate(block, to))
                    let bytes = UnsafeRawBufferPointer(start: moved, count: to)
                    let isKept = bytes.prefix(from).enumerated().allSatisfy { $1 == UInt8(truncatingIfNeeded: $0) }
                    #expect(isKept, "\(from) -> \(to)")
                    moved.initializeMemory(as: UInt8.self, repeating: 7, count: to)
                    table.release(moved)
                }
            }
            let fresh = try #require(table.reallocate(nil, 40))
            table.release(fresh)
        }
    }

    @Test func `impossible sizes give nothing`() {
        withMemory { _, table in
            for size in [Int.max, Int.max - 1, -1, -16, -17, Int.min] { #expect(table.allocate(size) == nil) }
            #expect(table.allocateCleared(Int.max / 2, 3) == nil)
            table.release(nil)
        }
    }

    @Test func `after trim the lists work as before`() throws {
        try withMemory { memory, table in
            let blocks = try Self.sizes.map { try #require(table.allocate($0)) }
            let kept = try #require(table.allocate(48))
            kept.initializeMemory(as: UInt8.self, repeating: 9, count: 48)
            for block in blocks { table.release(block) }
            memory.trim()
            memory.trim()
            let again = try #require(table.allocate(48))
            #expect(again != kept)
            #expect(UnsafeRawBufferPointer(start: kept, count: 48).allSatisfy { $0 == 9 })
            table.release(kept)
            table.release(again)
        }
    }

    // MARK: Pages

    private static let tableByteCount = 256 * 16
    private static let frameByteCount = 16 * 1024 + 10

    private func areZeros(_ block: UnsafeMutableRawPointer, _ count: Int) -> Bool {
        UnsafeRawBufferPointer(start: block, count: count).allSatisfy { $0 == 0 }
    }

    @Test func `the two large blocks of a session lose their memory when they are released`() throws {
        try withMemory { memory, table in
            let streams = try #require(table.allocateCleared(256, 16))
            let frame = try #require(table.allocate(Self.frameByteCount))
            #expect(UInt(bitPattern: streams) % 4096 == 0)
            #expect(areZeros(streams, Self.tableByteCount))
            frame.initializeMemory(as: UInt8.self, repeating: 5, count: Self.frameByteCount)
            memory.releasePages()
            #expect(areZeros(frame, Self.frameByteCount))
            frame.initializeMemory(as: UInt8.self, repeating: 6, count: Self.frameByteCount)
            #expect(areZeros(streams, Self.tableByteCount))
        }
    }

    @Test func `a table of streams with something in it stays as it is`() throws {
        try withMemory { memory, table in
            let streams = try #require(table.allocateCleared(256, 16))
            let last = Self.tableByteCount - 1
            streams.storeBytes(of: 3, toByteOffset: last, as: UInt8.self)
            memory.releasePages()
            #expect(streams.load(fromByteOffset: last, as: UInt8.self) == 3)
        }
    }

    @Test func `a block that was given back, or comes after the session was made, has no pages`() throws {
        try withMemory { memory, table in
            let first = try #require(table.allocate(Self.frameByteCount))
            table.release(first)
            memory.didMakeSession()
            for size in [Self.tableByteCount, Self.frameByteCount] {
                let later = try #require(table.allocate(size))
                later.initializeMemory(as: UInt8.self, repeating: 4, count: size)
                memory.releasePages()
                #expect(UnsafeRawBufferPointer(start: later, count: size).allSatisfy { $0 == 4 })
                table.release(later)
            }
        }
    }

    @Test func `a block in the pages can grow out of them`() throws {
        try withMemory { _, table in
            let block = try #require(table.allocate(Self.tableByteCount))
            block.initializeMemory(as: UInt8.self, repeating: 8, count: Self.tableByteCount)
            #expect(table.reallocate(block, 100) == block)
            let moved = try #require(table.reallocate(block, 100_000))
            #expect(moved != block)
            #expect(UnsafeRawBufferPointer(start: moved, count: Self.tableByteCount).allSatisfy { $0 == 8 })
            table.release(moved)
        }
    }

    @Test func `pages of an ended session are zeros for the next, and never two sessions'`() throws {
        for _ in 0..<3 {
            let memories = (0..<100).map { _ in SessionMemory() }
            defer { for memory in memories { memory.destroy() } }
            var seen: Set<UnsafeMutableRawPointer> = []
            for memory in memories {
                for size in [Self.tableByteCount, Self.frameByteCount] {
                    let block = try #require(memory.callbacks.allocate(size))
                    #expect(areZeros(block, size))
                    #expect(seen.insert(block).inserted)
                    block.initializeMemory(as: UInt8.self, repeating: 0xFF, count: size)
                }
            }
        }
    }
}

extension nghttp2_mem {
    fileprivate func allocate(_ size: Int) -> UnsafeMutableRawPointer? { malloc?(size, mem_user_data) }
    fileprivate func release(_ block: UnsafeMutableRawPointer?) { free?(block, mem_user_data) }
    fileprivate func allocateCleared(_ count: Int, _ size: Int) -> UnsafeMutableRawPointer? {
        calloc?(count, size, mem_user_data)
    }
    fileprivate func reallocate(_ block: UnsafeMutableRawPointer?, _ size: Int) -> UnsafeMutableRawPointer? {
        realloc?(block, size, mem_user_data)
    }
}
