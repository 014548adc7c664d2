import FrameCodec
import HTTPTransport

/// The application's key-value pairs of a call: ordered, duplicates kept.
///
/// Names are lower-case `0-9 a-z _ - .` (rule M3). A name that ends in `-bin` holds bytes, base64 on the wire
/// (rule M5); any other value is printable ASCII. Names that HTTP, gRPC or Connect use themselves
/// (`grpc-*`, `connect-*`, `content-type`, `te`, hop-by-hop and pseudo headers) are not metadata and stay out, both
/// ways (rule M6).
public struct Metadata: Sendable, Equatable {
    /// Everything as it stands on the wire, reserved names included when it came from a peer.
    var fields: HTTPFields

    public init() {
        fields = HTTPFields()
    }

    /// What a request has brought.
    package init(fields: HTTPFields) {
        self.fields = fields
    }

    /// The first value of an ASCII name; nil when absent or reserved.
    public subscript(_ name: String) -> String? {
        guard let field = Self.fieldName(name) else { return nil }
        return fields.first(field)
    }

    /// How many values a name has, by a name that is known to be metadata.
    package func count(of name: HTTPFieldName) -> Int { fields.count(of: name) }

    /// The first value as bytes, without making a `String`, by a name that is known to be metadata. `body` must not
    /// keep the pointer.
    package func withFirst<R>(_ name: HTTPFieldName, _ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R? {
        try fields.withFirst(name, body)
    }

    /// Every value of an ASCII name, in order.
    public func values(_ name: String) -> [String] {
        guard let field = Self.fieldName(name) else { return [] }
        return fields.values(field)
    }

    /// The bytes of every value of a `-bin` name, in order; a value that is not base64 is left out.
    ///
    /// Intermediaries may join duplicates with commas, so values are split before they are decoded. Nothing is the
    /// base64 of no bytes.
    public func binaryValues(_ name: String) -> [[UInt8]] {
        guard name.hasSuffix("-bin") else { return [] }
        return values(name).flatMap { value in
            value.utf8.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).compactMap { part in
                Base64.decode(part.filter { $0 != UInt8(ascii: " ") })
            }
        }
    }

    /// Appends an ASCII value.
    ///
    /// - Returns: false, and nothing is added, when the name is reserved or invalid, ends in `-bin`, or the value
    ///   has a byte outside 0x20...0x7E (a CR or LF would forge a line, rule W3).
    @discardableResult
    public mutating func add(_ name: String, _ value: String) -> Bool {
        guard !name.hasSuffix("-bin"), let field = Self.fieldName(name) else { return false }
        guard value.utf8.allSatisfy({ (0x20...0x7E).contains($0) }) else { return false }
        fields.append(field, value)
        return true
    }

    /// Appends a printable value under a name that is known to be metadata.
    package mutating func add(known name: HTTPFieldName, _ value: String) { fields.append(name, value) }

    /// Appends bytes under a `-bin` name, written as unpadded base64.
    @discardableResult
    public mutating func add(_ name: String, bytes: [UInt8]) -> Bool {
        guard name.hasSuffix("-bin"), let field = Self.fieldName(name) else { return false }
        fields.append(field, bytes: Base64.encode(bytes, padded: false))
        return true
    }

    /// Appends everything of `other` but reserved names: what a peer sent can be handed on or echoed as it is (rules
    /// M3, M6).
    public mutating func add(contentsOf other: Metadata) {
        other.forEachApplicationField { name, value in fields.append(name: name, value: value) }
    }

    /// Whether there is nothing, reserved names of a peer included.
    public var isEmpty: Bool { fields.isEmpty }

    /// The names in the order of their first use, reserved ones left out.
    public var names: [String] {
        var names: [String] = []
        forEachApplicationField { name, _ in
            let name = String(decoding: name, as: UTF8.self)
            if !names.contains(name) { names.append(name) }
        }
        return names
    }

    /// Every field that is metadata. `body` must not keep the pointers.
    func forEachApplicationField(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void) {
        fields.forEach { name, value in
            guard !name.isEmpty, name.allSatisfy(Self.isNameByte) else { return }
            if !Self.isReserved(String(decoding: name, as: UTF8.self)) { body(name, value) }
        }
    }

    private static func fieldName(_ name: String) -> HTTPFieldName? {
        guard let field = HTTPFieldName(name), name.utf8.allSatisfy(isNameByte) else { return nil }
        return isReserved(name.lowercased()) ? nil : field
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-") || byte == UInt8(ascii: ".")
        }
    }

    private static func isReserved(_ name: String) -> Bool {
        name.hasPrefix("grpc-") || name.hasPrefix("connect-") || reserved.contains(name)
    }

    private static let reserved: Set<String> = [
        "accept-encoding", "connection", "content-encoding", "content-length", "content-type", "expect", "host",
        "keep-alive",
        "proxy-authenticate", "proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding",
        "upgrade",
    ]
}
