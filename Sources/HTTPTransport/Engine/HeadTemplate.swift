#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// The last request head of a connection, for the next one to be compared with. Clients send much the same in every
/// request, and what is the same need not be recognised, checked and stored again.
///
///     last head:  :method :path te content-type grpc-timeout
///     next head:  :method :path te content-type ... the same to its end: it is the last one, memory included
///     or                                        \ something else: what was the same is copied in one piece, and only
///                                                 the rest is built
///
/// Fields are compared as received, byte by byte.
struct HeadTemplate {
    enum Kind: UInt8 { case field, method, scheme, path, authority }

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
        /// What the storage held when this piece was in it.
        let entryCount: UInt32
        let byteCount: UInt32
        /// Of the block with this piece and those before it, as ``FieldBlockBuilder`` counts.
        let listByteCount: Int

        var range: StoredRange { StoredRange(offset: offset, count: valueCount) }
    }

    /// Whole when a head is there; else of the block that is being received.
    private(set) var pieces: [Piece] = []
    private(set) var head: HTTPRequestHead?
    /// What the kept head says of its body's length.
    private(set) var contentLength: Int?
    /// Where the kept head's bytes end; valid while it is held.
    private var storedEnd: UnsafeRawPointer?
    /// How many pieces of the present block were the same so far.
    private(set) var position = 0
    /// All of the present block so far is the same.
    private(set) var isFollowed = false
    private var isRecording = false

    /// Larger heads are not kept, so that a connection holds little.
    private static let largestStorage = 1024

    var isWholeHead: Bool { isFollowed && position == pieces.count }

    /// The last head, which the present block has repeated.
    var repeatedHead: HTTPRequestHead? {
        if let storage = head?.fields.storage, !storage.isRepeated { storage.isRepeated = true }
        return head
    }

    /// - Parameter isRequest: others are neither compared nor kept.
    mutating func begin(isRequest: Bool) {
        position = 0
        isFollowed = isRequest && head != nil
        isRecording = isRequest
        if head == nil { pieces.removeAll(keepingCapacity: true) }
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

    /// The present block goes on differently. What was the same stays in ``pieces``.
    ///
    /// - Returns: the last head, which is not kept any more.
    mutating func leave() -> HTTPRequestHead? {
        isFollowed = false
        storedEnd = nil
        pieces.removeLast(pieces.count - position)
        return head.take()
    }

    /// Notes the field that was added to `storage` last.
    mutating func record(
        _ kind: Kind, name: UnsafeRawBufferPointer?, nameCount: Int, _ range: StoredRange, in storage: FieldStorage?,
        listByteCount: Int
    ) {
        guard isRecording, let storage else { return }
        let storedNameCount = name == nil ? nameCount : 0
        pieces.append(
            Piece(
                kind: kind, name: name?.baseAddress, nameCount: UInt32(truncatingIfNeeded: nameCount),
                valueCount: range.count, offset: range.offset,
                valueOffset: range.offset &- UInt32(truncatingIfNeeded: storedNameCount),
                entryCount: UInt32(truncatingIfNeeded: storage.entryCount),
                byteCount: UInt32(truncatingIfNeeded: storage.byteCount), listByteCount: listByteCount))
    }

    /// Keeps the head that the pieces make.
    mutating func keep(_ head: HTTPRequestHead, contentLength: Int?) {
        guard isRecording, let storage = head.fields.storage, storage.regionByteCount <= Self.largestStorage else {
            return
        }
        self.head = head
        self.contentLength = contentLength
        storedEnd = storage.address(offset: 0)
    }
}
