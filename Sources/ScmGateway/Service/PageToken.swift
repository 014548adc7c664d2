import FrameCodec
import RPC
import SiloRPC

/// Where a list goes on. Opaque to callers: base64url of packed bytes.
///
/// ```
/// version        1 byte
/// filter         8 bytes     first bytes of the SHA-256 of everything that chooses the items
/// issued at      8 bytes     milliseconds since 1970 UTC, big endian
/// position       8 bytes     last id, or how many items are behind, big endian
/// anchor         rest        object ids at which a history began, or the last name, so that a push in between
///                            moves nothing
/// ```
///
/// A token holds no secret and grants nothing: the call that brings it is authorised like the first one.
struct PageToken: Equatable {
    static let version: UInt8 = 1
    var filter: [UInt8]
    var issuedAt: Int64
    var position: Int64
    var anchor = ""

    init(filter: PageFilter, position: Int64, anchor: String = "") {
        self.filter = filter.hash
        self.issuedAt = EpochTime.now
        self.position = position
        self.anchor = anchor
    }

    var text: String {
        var bytes = [Self.version] + filter
        for value in [issuedAt, position] {
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8(truncatingIfNeeded: value >> Int64(shift)))
            }
        }
        bytes += Array(anchor.utf8)
        let symbols = Base64.encode(bytes, padded: false).map { byte in
            switch byte {
            case UInt8(ascii: "+"): UInt8(ascii: "-")
            case UInt8(ascii: "/"): UInt8(ascii: "_")
            default: byte
            }
        }
        return String(decoding: symbols, as: UTF8.self)
    }

    /// nil for an empty text, which asks for the first page.
    ///
    /// - Throws: INVALID_ARGUMENT for a text that is no token, or one of a request with other fields.
    static func parse(_ text: String, filter: PageFilter) throws(RPCError) -> PageToken? {
        guard !text.isEmpty else { return nil }
        // An anchor may be a whole path.
        guard text.utf8.count <= 8192, let bytes = Base64.decode(Array(text.utf8), acceptsURLSafeAlphabet: true),
            bytes.count >= 25, bytes[0] == version
        else { throw RPCError.badField("page_token", "not a page token of this service") }
        guard Array(bytes[1..<9]) == filter.hash else {
            throw RPCError.badField("page_token", "page token does not match request: the other fields changed")
        }
        var token = PageToken(filter: filter, position: integer(bytes[17..<25]))
        token.issuedAt = integer(bytes[9..<17])
        token.anchor = String(decoding: bytes[25...], as: UTF8.self)
        guard token.position >= 0 else { throw RPCError.badField("page_token", "not a page token of this service") }
        return token
    }

    private static func integer(_ bytes: ArraySlice<UInt8>) -> Int64 {
        Int64(bitPattern: bytes.reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// Everything in a request that chooses which items a list has.
struct PageFilter {
    /// Longer requests are refused: hashing what a caller sends happens on an event loop, and no request that makes
    /// sense is as long.
    static let maximumFilterByteCount = 256 * 1024
    private(set) var hash: [UInt8]

    /// - Parameter fields: in a fixed order; lengths go into the hash, so that two lists of fields never run together.
    /// - Throws: INVALID_ARGUMENT for fields longer than ``maximumFilterByteCount``.
    init(_ method: String, _ fields: [String]) throws(RPCError) {
        try Self.check(fields.reduce(0) { $0 + $1.utf8.count })
        var bytes: [UInt8] = []
        for field in [method] + fields {
            bytes += Array("\(field.utf8.count):".utf8)
            bytes += Array(field.utf8)
        }
        hash = Array(SHA256.digest(bytes).prefix(8))
    }

    /// - Parameter message: without map fields: then the same message always has the same bytes.
    /// - Throws: INVALID_ARGUMENT for a message longer than ``maximumFilterByteCount``.
    init(_ method: String, message: some Message) throws(RPCError) {
        try Self.check(message.encodedByteCount)
        hash = Array(SHA256.digest(Array("\(method):".utf8) + message.serializedBytes()).prefix(8))
    }

    private static func check(_ byteCount: Int) throws(RPCError) {
        guard byteCount <= maximumFilterByteCount else {
            throw RPCError(
                .invalidArgument, .badRequest,
                "what chooses the items is longer than maximumFilterByteCount (\(maximumFilterByteCount))",
                facts: ["limit": "maximumFilterByteCount"]
            )
        }
    }
}

/// The size of a page.
enum PageSize {
    static let standard = 50
    static let maximum = 1000

    /// - Throws: INVALID_ARGUMENT for a negative size.
    static func check(_ size: Int32, standard: Int = standard) throws(RPCError) -> Int {
        guard size >= 0 else { throw RPCError.badField("page_size", "a page size is not negative") }
        return size == 0 ? standard : min(Int(size), maximum)
    }
}
