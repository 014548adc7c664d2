/// A request method: one of the usual ones, or any other RFC 9110 token. Case-sensitive.
public struct HTTPMethod: Sendable, Hashable, CustomStringConvertible {
    private enum Known: UInt8, Sendable {
        case other, get, head, post, put, delete, options, patch, connect, trace
    }

    /// The text of an unusual method. Behind a reference, so that copies of the usual ones count none.
    ///
    /// `@unchecked Sendable`: the memory is written before anybody else has the name, and never again.
    private final class Name: @unchecked Sendable {
        let bytes: UnsafeRawBufferPointer

        init(_ bytes: UnsafeRawBufferPointer) {
            let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
            memory.copyMemory(from: bytes)
            self.bytes = UnsafeRawBufferPointer(memory)
        }

        deinit { bytes.deallocate() }
    }

    private let known: Known
    private let other: Name?

    private init(_ known: Known) {
        self.known = known
        other = nil
    }

    public static func == (left: HTTPMethod, right: HTTPMethod) -> Bool {
        left.known == right.known && (left.known != .other || left.bytes.elementsAre(right.bytes))
    }

    public func hash(into hasher: inout Hasher) {
        hasher.combine(known)
        if known == .other { hasher.combine(bytes: bytes) }
    }

    public static var get: HTTPMethod { HTTPMethod(.get) }
    public static var head: HTTPMethod { HTTPMethod(.head) }
    public static var post: HTTPMethod { HTTPMethod(.post) }
    public static var put: HTTPMethod { HTTPMethod(.put) }
    public static var delete: HTTPMethod { HTTPMethod(.delete) }
    public static var options: HTTPMethod { HTTPMethod(.options) }
    public static var patch: HTTPMethod { HTTPMethod(.patch) }
    public static var connect: HTTPMethod { HTTPMethod(.connect) }
    public static var trace: HTTPMethod { HTTPMethod(.trace) }

    /// As `== .head` and so on, without values of them.
    var isHead: Bool { known == .head }
    var isConnect: Bool { known == .connect }
    package var isPost: Bool { known == .post }

    /// - Returns: `nil` when `token` is empty or not an RFC 9110 token.
    public init?(_ token: String) {
        var copy = token
        guard let method = copy.withUTF8({ HTTPMethod(bytes: UnsafeRawBufferPointer($0)) }) else {
            return nil
        }
        self = method
    }

    init?(bytes: UnsafeRawBufferPointer) {
        known = Self.recognise(bytes)
        guard known == .other else {
            other = nil
            return
        }
        guard !bytes.isEmpty, bytes.allSatisfy(ASCII.isToken) else { return nil }
        other = Name(bytes)
    }

    /// The method as it stands on the wire.
    public var description: String { withBytes { String(decoding: $0, as: UTF8.self) } }

    /// As ``description``, in place: valid as long as the method is held.
    package var bytes: UnsafeRawBufferPointer {
        if let other { return other.bytes }
        let name = Self.name(of: known)
        return UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount)
    }

    package func withBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        defer { withExtendedLifetime(other) {} }
        return try body(bytes)
    }

    private static func recognise(_ bytes: UnsafeRawBufferPointer) -> Known {
        let candidates: [4 of Known]
        switch bytes.count {
        case 3: candidates = [.get, .put, .other, .other]
        case 4: candidates = [.post, .head, .other, .other]
        case 5: candidates = [.patch, .trace, .other, .other]
        case 6: candidates = [.delete, .other, .other, .other]
        case 7: candidates = [.options, .connect, .other, .other]
        default: return .other
        }
        for index in candidates.indices where bytes.elementsAre(name(of: candidates[index])) {
            return candidates[index]
        }
        return .other
    }

    private static func name(of known: Known) -> StaticString {
        switch known {
        case .other: ""
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .options: "OPTIONS"
        case .patch: "PATCH"
        case .connect: "CONNECT"
        case .trace: "TRACE"
        }
    }
}
