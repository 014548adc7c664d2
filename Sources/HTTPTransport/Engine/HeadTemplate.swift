#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The last block of its kind on a connection (heads, or trailers), for the next one to be compared with. Clients send
/// much the same in every request, servers in every answer, and what is the same need not be recognised, checked and
/// stored again.
///
///     last head:  :method :path te content-type grpc-timeout
///     next head:  :method :path te content-type ... the same to its end: it is the last one, memory included
///     or                                        \ something else: what was the same is copied in one piece, and only
///                                                 the rest is built
///
/// Fields are compared as received, byte by byte. The bytes of the last block stand in its storage, which
/// ``HeadAssembler`` holds as long as this compares.
struct HeadTemplate {
    enum Kind: UInt8 { case field, method, scheme, path, authority, status }

    /// One field, in the order of arrival; its bytes are in the head's storage.
    struct Piece {
        let kind: Kind
        /// In the program image; nil when the name is stored in front of the value.
        let name: UnsafeRawPointer?
        let nameCount: UInt32
        let valueCount: UInt32
        /// Of the stored bytes, from the end of the storage.
        let offset: UInt32
        let valueOffset: UInt32
        /// Of the block with this piece and those before it.
        let sizes: FieldBlockBuilder.Sizes

        var range: StoredRange { StoredRange(offset: offset, count: valueCount) }
    }

    /// Whole when a block is kept; else of the block that is being received.
    private(set) var pieces: [Piece] = []
    /// Where the kept block's bytes end; nil when none is kept.
    private var storedEnd: UnsafeRawPointer?
    /// How many pieces of the present block were the same so far.
    private(set) var position = 0
    /// All of the present block so far is the same.
    private(set) var isFollowed = false
    private var isRecording = false

    /// Larger blocks are not kept, so that a connection holds little.
    private static let largestStorage = 1024

    /// The present block has repeated the last one.
    var isWhole: Bool { isFollowed && position == pieces.count }

    mutating func begin() {
        position = 0
        isFollowed = storedEnd != nil
        isRecording = true
        if !isFollowed { pieces.removeAll(keepingCapacity: true) }
    }

    /// Whether the next field of the present block is that of the last one.
    @inline(__always)
    mutating func matches(
        _ name: UnsafePointer<UInt8>, _ nameCount: Int, _ value: UnsafePointer<UInt8>, _ valueCount: Int
    ) -> Bool {
        guard position < pieces.count, let storedEnd else { return false }
        let piece = pieces[position]
        guard nameCount == Int(piece.nameCount), valueCount == Int(piece.valueCount),
            memcmp(piece.name ?? storedEnd - Int(piece.offset), name, nameCount) == 0,
            memcmp(storedEnd - Int(piece.valueOffset), value, valueCount) == 0
        else { return false }
        position += 1
        return true
    }

    /// The present block goes on differently: the last one is not kept any more. What was the same stays in ``pieces``.
    mutating func leave() {
        isFollowed = false
        storedEnd = nil
        pieces.removeLast(pieces.count - position)
    }

    /// Notes the field that was added last.
    ///
    /// - Parameter name: nil when it is stored in front of the value.
    mutating func record(
        _ kind: Kind, name: UnsafeRawBufferPointer?, nameCount: Int, _ range: StoredRange,
        _ sizes: FieldBlockBuilder.Sizes
    ) {
        guard isRecording else { return }
        let storedNameCount = name == nil ? nameCount : 0
        pieces.append(
            Piece(
                kind: kind, name: name?.baseAddress, nameCount: UInt32(truncatingIfNeeded: nameCount),
                valueCount: range.count, offset: range.offset,
                valueOffset: range.offset &- UInt32(truncatingIfNeeded: storedNameCount), sizes: sizes))
    }

    /// Keeps the block that the pieces make.
    ///
    /// - Returns: whether the caller must hold the storage from now on.
    mutating func keep(_ storage: FieldStorage?) -> Bool {
        guard isRecording, let storage, storage.regionByteCount <= Self.largestStorage else { return false }
        storedEnd = storage.address(offset: 0)
        return true
    }
}
