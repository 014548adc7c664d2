/// Method, target and fields of a request.
///
/// The path of a received request is kept as the bytes that came: no decoding, no normalisation (rule M1).
public struct HTTPRequestHead: Sendable {
    public var method: HTTPMethod
    public var fields: HTTPFields
    private(set) var target: RequestTarget

    init(method: HTTPMethod, target: RequestTarget, fields: HTTPFields) {
        self.method = method
        self.target = target
        self.fields = fields
    }

    /// Gives up the memory of a received head, when nobody else holds a part of it. The head is empty then.
    mutating func takeStorage() -> FieldStorage? {
        fields.storage = nil
        var storage = target.takeStorage()
        return isKnownUniquelyReferenced(&storage) ? storage : nil
    }

    /// A request to send.
    ///
    /// - Parameters:
    ///   - path: `/` and what follows, query included, already percent-encoded.
    ///   - scheme: `http` or `https`; `nil` lets the connection choose.
    ///   - authority: host and port; `nil` lets the connection fill in what it is connected to.
    public init(
        method: HTTPMethod = .post,
        path: String,
        scheme: String? = nil,
        authority: String? = nil,
        fields: HTTPFields = HTTPFields()
    ) {
        self.method = method
        self.fields = fields
        target = RequestTarget(path: path, scheme: scheme, authority: authority)
    }

    /// Path and query as text. Makes a `String`: on hot paths use ``withPath(_:)``.
    public var path: String { target.withPath { String(decoding: $0, as: UTF8.self) } }

    public var scheme: String? { target.scheme?.description }

    /// `:authority` of HTTP/2 or `Host` of HTTP/1.1.
    public var authority: String? { target.authorityText }

    /// Path and query. The pointer is valid as long as the head is held.
    package var pathBytes: UnsafeRawBufferPointer { target.pathBytes }

    /// As ``pathBytes``; nil when there is none.
    package var authorityBytes: UnsafeRawBufferPointer? { target.authorityBytes }

    /// Gives the bytes of path and query to `body`, which must not keep the pointer.
    public func withPath<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try target.withPath(body)
    }
}

/// Status and fields of a response.
public struct HTTPResponseHead: Sendable, Equatable {
    /// 200...599. A value outside 100...599 is sent as 500.
    public var status: Int
    public var fields: HTTPFields

    public init(status: Int, fields: HTTPFields = HTTPFields()) {
        self.status = status
        self.fields = fields
    }
}
