/// The schemes this package carries.
enum URIScheme: Sendable, Equatable {
    case http, https

    init?(bytes: UnsafeRawBufferPointer) {
        if bytes.elementsAreIgnoringCase("http") {
            self = .http
        } else if bytes.elementsAreIgnoringCase("https") {
            self = .https
        } else {
            return nil
        }
    }

    var name: StaticString { self == .http ? "http" : "https" }
    var description: String { name.description }
}

/// Which `:scheme` a transport takes in requests, and sends.
enum SchemeRule: Sendable {
    case http
    case https
    /// Clear text behind a proxy that ends TLS.
    case either

    func accepts(_ scheme: URIScheme) -> Bool {
        switch self {
        case .http: scheme == .http
        case .https: scheme == .https
        case .either: true
        }
    }
}

/// Bytes inside a ``FieldStorage``: distance of the first byte from the end, and how many.
struct StoredRange {
    var offset: UInt32
    var count: UInt32
}

/// Path and authority of a request as ranges of one ``FieldStorage``.
///
/// For a received request that is the storage of its fields too (nothing is copied twice). If somebody
/// changes the fields later, ``HTTPFields`` copies first, so the ranges here stay right.
///
/// `@unchecked Sendable`: nobody writes to the storage once a target exists.
struct RequestTarget: @unchecked Sendable {
    /// nil when it was taken away; path and authority are empty then.
    private var storage: FieldStorage?
    private let pathOffset: UInt32
    private let pathCount: UInt32
    private let authorityOffset: UInt32
    private let authorityCount: UInt32
    private let hasAuthority: Bool
    let scheme: URIScheme?

    init(path: String, scheme: String?, authority: String?) {
        let storage = FieldStorage.make(capacity: path.utf8.count + (authority?.utf8.count ?? 0))
        var path = path
        var authority = authority ?? ""
        hasAuthority = !authority.isEmpty
        pathOffset = path.withUTF8 { storage.appendBytes(UnsafeRawBufferPointer($0)) }
        authorityOffset = authority.withUTF8 { storage.appendBytes(UnsafeRawBufferPointer($0)) }
        pathCount = UInt32(truncatingIfNeeded: path.utf8.count)
        authorityCount = UInt32(truncatingIfNeeded: authority.utf8.count)
        var schemeText = scheme ?? ""
        self.scheme = schemeText.withUTF8 { URIScheme(bytes: UnsafeRawBufferPointer($0)) }
        self.storage = storage
    }

    /// A target whose bytes are already in `storage`; `nil` ranges are empty.
    init(storage: FieldStorage, scheme: URIScheme?, path: StoredRange, authority: StoredRange?) {
        self.storage = storage
        self.scheme = scheme
        pathOffset = path.offset
        pathCount = path.count
        hasAuthority = authority != nil
        authorityOffset = authority?.offset ?? 0
        authorityCount = authority?.count ?? 0
    }

    /// Valid as long as the target is held.
    var pathBytes: UnsafeRawBufferPointer {
        storage?.bytes(offset: pathOffset, count: pathCount) ?? UnsafeRawBufferPointer(start: nil, count: 0)
    }

    /// As ``pathBytes``; nil without an authority.
    var authorityBytes: UnsafeRawBufferPointer? {
        hasAuthority ? storage?.bytes(offset: authorityOffset, count: authorityCount) : nil
    }

    func withPath<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(storage) {} }
        return try body(pathBytes)
    }

    func withAuthority<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result? {
        guard let bytes = authorityBytes else { return nil }
        defer { withExtendedLifetime(storage) {} }
        return try body(bytes)
    }

    mutating func takeStorage() -> FieldStorage? { storage.take() }

    var authorityText: String? { withAuthority { String(decoding: $0, as: UTF8.self) } }
}
