/// Method path -> handler, looked up by the path's bytes: open addressing over FNV-1a, no `String` per request.
struct MethodTable: Sendable {
    struct Entry: Sendable {
        let path: [UInt8]
        let method: RPCMethod
    }

    private var slots: [Entry?]
    private let mask: Int

    init(_ methods: [RPCMethod]) {
        var capacity = 8
        while capacity < methods.count * 2 { capacity *= 2 }
        slots = Array(repeating: nil, count: capacity)
        mask = capacity - 1
        for method in methods { insert(Entry(path: Array(method.descriptor.path.utf8), method: method)) }
    }

    /// The method whose path is exactly `path`; case-sensitive, nothing is decoded or normalised (rule M1).
    func method(path: UnsafeRawBufferPointer) -> RPCMethod? {
        var index = Self.hash(path) & mask
        while let entry = slots[index] {
            if entry.path.count == path.count, entry.path.withUnsafeBytes({ $0.elementsEqual(path) }) {
                return entry.method
            }
            index = (index + 1) & mask
        }
        return nil
    }

    /// A later method of the same path replaces the earlier one.
    private mutating func insert(_ entry: Entry) {
        var index = entry.path.withUnsafeBytes(Self.hash) & mask
        while let present = slots[index], present.path != entry.path { index = (index + 1) & mask }
        slots[index] = entry
    }

    private static func hash(_ bytes: UnsafeRawBufferPointer) -> Int {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return Int(truncatingIfNeeded: hash)
    }
}
