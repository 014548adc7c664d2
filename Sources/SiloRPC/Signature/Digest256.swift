import COpenSSL

/// 32 bytes that SHA-256 has made: a digest, or a code of HMAC. No memory of its own.
struct Digest256: Sendable {
    static let byteCount = 32

    private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

    init() {}

    mutating func withMutableBytes<R>(_ body: (UnsafeMutableRawBufferPointer) -> R) -> R {
        withUnsafeMutableBytes(of: &words, body)
    }

    func withBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R { withUnsafeBytes(of: words, body) }

    /// Compares in a time that does not depend on where the difference is.
    func isSame(as other: Digest256) -> Bool {
        withBytes { left in
            other.withBytes { CRYPTO_memcmp(left.baseAddress, $0.baseAddress, Self.byteCount) == 0 }
        }
    }
}

/// Bytes on their way into a digest: put together on the stack, and handed to OpenSSL when that room is full.
struct DigestInput: ~Copyable {
    private let context: OpaquePointer?
    private let room: UnsafeMutableRawBufferPointer
    private var count = 0
    /// False once OpenSSL has refused something.
    private(set) var isComplete = true

    init(_ context: OpaquePointer?, room: UnsafeMutableRawBufferPointer) {
        self.context = context
        self.room = room
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        guard let source = bytes.baseAddress else { return }
        if bytes.count > room.count - count { flush() }
        guard bytes.count <= room.count else { return update(bytes) }
        room.baseAddress?.advanced(by: count).copyMemory(from: source, byteCount: bytes.count)
        count += bytes.count
    }

    /// The length in four bytes, most significant first, and the bytes.
    mutating func part(_ bytes: UnsafeRawBufferPointer) {
        let length = UInt32(truncatingIfNeeded: bytes.count).bigEndian
        guard bytes.count <= room.count - count - 4, let target = room.baseAddress?.advanced(by: count) else {
            withUnsafeBytes(of: length) { append($0) }
            return append(bytes)
        }
        target.storeBytes(of: length, as: UInt32.self)
        if let source = bytes.baseAddress { (target + 4).copyMemory(from: source, byteCount: bytes.count) }
        count += 4 + bytes.count
    }

    mutating func flush() {
        guard count > 0 else { return }
        update(UnsafeRawBufferPointer(rebasing: room[..<count]))
        count = 0
    }

    private mutating func update(_ bytes: UnsafeRawBufferPointer) {
        isComplete = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count) == 1 && isComplete
    }
}
