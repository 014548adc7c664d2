import FrameCodec
import ServiceContextModule

/// Where a call stands in a distributed trace: W3C Trace Context, what OpenTelemetry sends.
///
///     traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
///                  version  trace id                    parent id      flags
///
/// Source: W3C Trace Context, level 1 recommendation and level 2 (random flag).
public struct TraceContext: Sendable, Hashable {
    /// 16 bytes, never all zero.
    public let traceID: TraceID
    /// The span that made the call; 8 bytes as a big-endian number, never 0.
    public let spanID: UInt64
    /// Bit 0: sampled. Bit 1: the trace id is random (level 2). Others are 0.
    public let flags: UInt8
    /// The list of the vendors, as received, at most 512 bytes; empty for none. Passed on unchanged.
    public let state: String

    /// 16 bytes as two big-endian halves.
    public struct TraceID: Sendable, Hashable {
        public let high: UInt64
        public let low: UInt64

        public init(high: UInt64, low: UInt64) {
            self.high = high
            self.low = low
        }

        /// 32 lower-case hexadecimal digits.
        public var text: String { Hexadecimal.text(high) + Hexadecimal.text(low) }
    }

    /// Longest `tracestate` that is passed on; a longer one is dropped whole (section 3.3.1.5 asks for at least 512).
    public static let maximumStateByteCount = 512
    private static let sampledFlag: UInt8 = 0x01
    private static let randomFlag: UInt8 = 0x02

    public init(traceID: TraceID, spanID: UInt64, flags: UInt8, state: String = "") {
        self.traceID = traceID
        self.spanID = spanID
        self.flags = flags
        self.state = state
    }

    public var isSampled: Bool { flags & Self.sampledFlag != 0 }
    /// 16 lower-case hexadecimal digits.
    public var spanIDText: String { Hexadecimal.text(spanID) }

    /// A new trace: random ids.
    public static func root(isSampled: Bool) -> TraceContext {
        TraceContext(
            traceID: TraceID(high: .random(in: 1 ... .max), low: .random(in: 1 ... .max)),
            spanID: .random(in: 1 ... .max), flags: randomFlag | (isSampled ? sampledFlag : 0)
        )
    }

    /// The next step of the same trace: a new span id.
    public func child() -> TraceContext {
        TraceContext(traceID: traceID, spanID: .random(in: 1 ... .max), flags: flags, state: state)
    }

    // MARK: Text

    /// Value of the `traceparent` header, version 00.
    public var traceparent: String {
        "00-\(traceID.text)-\(spanIDText)-\(Hexadecimal.text(flags & (Self.sampledFlag | Self.randomFlag)))"
    }

    /// Reads the two headers.
    ///
    /// Version 00 must be exactly 55 characters. Of a later version the same fields are read, and what follows must
    /// begin with `-`. Version ff, upper-case digits and ids of zeros are invalid.
    ///
    /// - Parameters:
    ///   - traceparent: value of the only `traceparent` header.
    ///   - tracestate: values of all `tracestate` headers, in order. One that breaks the rules is ignored.
    /// - Returns: nil when `traceparent` is invalid; `tracestate` is then not looked at (section 4.3).
    public init?(traceparent: String, tracestate: [String] = []) {
        let text = Array(traceparent.utf8)
        guard text.count >= 55, text.count <= 512, text[2] == Self.dash, text[35] == Self.dash, text[52] == Self.dash,
            let version = Hexadecimal.number(text[0..<2]), version != 0xFF,
            version == 0 ? text.count == 55 : text.count == 55 || text[55] == Self.dash,
            let high = Hexadecimal.number(text[3..<19]), let low = Hexadecimal.number(text[19..<35]), high | low != 0,
            let span = Hexadecimal.number(text[36..<52]), span != 0,
            let flags = Hexadecimal.number(text[53..<55])
        else { return nil }
        self.init(
            traceID: TraceID(high: high, low: low), spanID: span,
            flags: UInt8(truncatingIfNeeded: flags) & (Self.sampledFlag | Self.randomFlag),
            state: TraceState.joined(tracestate)
        )
    }

    private static let dash = UInt8(ascii: "-")
}

/// The `tracestate` list: `key=value` members with commas between.
enum TraceState {
    private static let maximumMemberCount = 32

    /// All headers as one list, without empty members; "" when it breaks the grammar or a limit (section 3.3.1).
    static func joined(_ headers: [String]) -> String {
        guard !headers.isEmpty else { return "" }
        var members: [Substring] = []
        var keys: Set<Substring> = []
        for header in headers {
            guard header.utf8.count <= TraceContext.maximumStateByteCount else { return "" }
            for part in header.split(separator: ",", omittingEmptySubsequences: true) {
                let member = trimmed(part)
                if member.isEmpty { continue }
                guard let key = key(of: member), keys.insert(key).inserted, members.count < maximumMemberCount else {
                    return ""
                }
                members.append(member)
            }
        }
        let joined = members.joined(separator: ",")
        return joined.utf8.count <= TraceContext.maximumStateByteCount ? joined : ""
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while let first = text.utf8.first, isSpace(first) { text = text.dropFirst() }
        while let last = text.utf8.last, isSpace(last) { text = text.dropLast() }
        return text
    }

    private static func isSpace(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }

    /// The key of a valid member.
    private static func key(of member: Substring) -> Substring? {
        guard let equals = member.firstIndex(of: "=") else { return nil }
        let key = member[..<equals]
        let value = member[member.index(after: equals)...].utf8
        guard isKey(key), (1...256).contains(value.count), value.allSatisfy(isValueByte) else { return nil }
        return key
    }

    /// `simple` or `tenant@system` (level 1, section 3.3.1.3.1).
    private static func isKey(_ key: Substring) -> Bool {
        let parts = key.split(separator: "@", omittingEmptySubsequences: false)
        guard key.utf8.allSatisfy({ isKeyByte($0) || $0 == UInt8(ascii: "@") }) else { return false }
        switch parts.count {
        case 1: return (1...256).contains(parts[0].utf8.count) && startsWithLetter(parts[0], orDigit: false)
        case 2:
            return (1...241).contains(parts[0].utf8.count) && startsWithLetter(parts[0], orDigit: true)
                && (1...14).contains(parts[1].utf8.count) && startsWithLetter(parts[1], orDigit: false)
        default: return false
        }
    }

    private static func startsWithLetter(_ text: Substring, orDigit: Bool) -> Bool {
        guard let first = text.utf8.first else { return false }
        return isLetter(first) || orDigit && isDigit(first)
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) }
    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "_-*/".utf8.contains(byte)
    }

    /// Printable ASCII without comma and equals sign.
    private static func isValueByte(_ byte: UInt8) -> Bool {
        (0x20...0x7E).contains(byte) && byte != UInt8(ascii: ",") && byte != UInt8(ascii: "=")
    }
}

/// Lower-case hexadecimal of fixed width.
enum Hexadecimal {
    private static let digits = Array("0123456789abcdef".utf8)

    static func text<Number: FixedWidthInteger & UnsignedInteger>(_ number: Number) -> String {
        var shift = Number.bitWidth
        var bytes: [UInt8] = []
        while shift > 0 {
            shift -= 4
            bytes.append(digits[Int(truncatingIfNeeded: number >> Number(shift)) & 15])
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    /// nil for anything but 1 to 16 lower-case digits.
    static func number(_ text: ArraySlice<UInt8>) -> UInt64? {
        guard (1...16).contains(text.count) else { return nil }
        var number: UInt64 = 0
        for byte in text {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): number = number << 4 | UInt64(byte - UInt8(ascii: "0"))
            case UInt8(ascii: "a")...UInt8(ascii: "f"): number = number << 4 | UInt64(byte - UInt8(ascii: "a") + 10)
            default: return nil
            }
        }
        return number
    }
}

/// Where a ``TraceContext`` travels in a `ServiceContext`.
public enum TraceContextKey: ServiceContextKey {
    public typealias Value = TraceContext
    public static var nameOverride: String? { "trace" }
}

extension ServiceContext {
    /// The trace that the current work belongs to; nil for none.
    public var traceContext: TraceContext? {
        get { self[TraceContextKey.self] }
        set { self[TraceContextKey.self] = newValue }
    }
}
