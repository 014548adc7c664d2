/// Method path -> handler, looked up by the path's bytes: open addressing over the path's hash, no `String` per
/// request.
struct MethodTable: Sendable {
    private var slots: [ServedMethod?]
    private let mask: Int

    init(_ methods: [ServedMethod]) {
        var capacity = 8
        while capacity < methods.count * 2 { capacity *= 2 }
        slots = Array(repeating: nil, count: capacity)
        mask = capacity - 1
        for method in methods { insert(method) }
    }

    /// The method whose path is exactly `path`; case-sensitive, nothing is decoded or normalised (rule M1).
    func method(path: UnsafeRawBufferPointer) -> ServedMethod? {
        var index = Self.hash(path) & mask
        while let method = slots[index] {
            if method.path.withUnsafeBytes({ Self.isEqual($0, path) }) { return method }
            index = (index + 1) & mask
        }
        return nil
    }

    /// A later method of the same path replaces the earlier one.
    private mutating func insert(_ method: ServedMethod) {
        var index = method.path.withUnsafeBytes(Self.hash) & mask
        while let present = slots[index], present.path != method.path { index = (index + 1) & mask }
        slots[index] = method
    }

    /// FNV-1a over words of eight bytes, then over the rest.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        var offset = 0
        while offset &+ 8 <= bytes.count {
            hash = (hash ^ bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)) &* 0x100_0000_01B3
            hash ^= hash &>> 32
            offset &+= 8
        }
        while offset < bytes.count {
            hash = (hash ^ UInt64(bytes[offset])) &* 0x100_0000_01B3
            offset &+= 1
        }
        return Int(truncatingIfNeeded: hash ^ hash &>> 29)
    }

    private static func isEqual(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Bool {
        guard left.count == right.count else { return false }
        var offset = 0
        while offset &+ 8 <= left.count {
            let leftWord = left.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
            guard leftWord == right.loadUnaligned(fromByteOffset: offset, as: UInt64.self) else { return false }
            offset &+= 8
        }
        while offset < left.count {
            guard left[offset] == right[offset] else { return false }
            offset &+= 1
        }
        return true
    }
}
