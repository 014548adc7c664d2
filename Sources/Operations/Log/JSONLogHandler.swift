import Logging
import NIOCore
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Log lines as JSON objects, one a line: `time`, `level`, `logger`, `message`, then the metadata by name.
///
/// Metadata never replaces one of the four; such a name gets a `_` in front. Times are UTC, RFC 3339, milliseconds.
public struct JSONLogHandler: LogHandler {
    public var logLevel = Logger.Level.info
    public var metadata = Logger.Metadata()
    public var metadataProvider: Logger.MetadataProvider?
    private let label: String
    private let write: @Sendable ([UInt8]) -> Void

    /// - Parameter write: takes one line with its line feed; called from any thread.
    public init(label: String, write: @escaping @Sendable ([UInt8]) -> Void) {
        self.label = label
        self.write = write
    }

    /// Writes to standard error, a line a system call, so that lines of several processes do not mix.
    public static func standardError(label: String) -> JSONLogHandler {
        JSONLogHandler(label: label) { line in
            var written = 0
            while written < line.count {
                let count = line.withUnsafeBytes {
                    systemWrite(2, $0.baseAddress.map { $0 + written }, $0.count - written)
                }
                // A log that cannot be written is no reason to stop serving.
                guard count > 0 else { return }
                written += count
            }
        }
    }

    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    public func log(event: LogEvent) {
        var all = metadata
        if let provided = metadataProvider?.get() { all.merge(provided) { $1 } }
        if let given = event.metadata { all.merge(given) { $1 } }
        var line = Self.text(
            seconds: nil, level: event.level, label: label, message: "\(event.message)", metadata: all
        )
        line.append(UInt8(ascii: "\n"))
        write(line)
    }

    /// One object without a line feed. `seconds` since 1970; nil for now.
    static func text(
        seconds: Double?, level: Logger.Level, label: String, message: String, metadata: Logger.Metadata
    ) -> [UInt8] {
        var text = JSONLineWriter()
        text.add("time", LogTime.text(seconds ?? LogTime.now))
        text.add("level", level.rawValue)
        text.add("logger", label)
        text.add("message", message)
        for (name, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let isTaken = ["time", "level", "logger", "message"].contains(name)
            text.add(isTaken ? "_" + name : name, "\(value)")
        }
        return text.finish()
    }
}

private func systemWrite(_ descriptor: CInt, _ bytes: UnsafeRawPointer?, _ count: Int) -> Int {
    guard let bytes else { return -1 }
    return write(descriptor, bytes, count)
}

/// A flat JSON object of strings.
struct JSONLineWriter {
    private var bytes = Array("{".utf8)

    mutating func add(_ name: String, _ value: String) {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
        quote(name)
        bytes.append(UInt8(ascii: ":"))
        quote(value)
    }

    consuming func finish() -> [UInt8] {
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// RFC 8259 section 7: quote, backslash and control characters are escaped.
    private mutating func quote(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
            case UInt8(ascii: "\n"): bytes += Array("\\n".utf8)
            case UInt8(ascii: "\r"): bytes += Array("\\r".utf8)
            case UInt8(ascii: "\t"): bytes += Array("\\t".utf8)
            case 0..<0x20, 0x7F:
                bytes += Array("\\u00".utf8)
                for digit in [byte >> 4, byte & 15] { bytes.append(Array("0123456789abcdef".utf8)[Int(digit)]) }
            default: bytes.append(byte)
            }
        }
        bytes.append(UInt8(ascii: "\""))
    }
}

/// RFC 3339 in UTC with milliseconds, without Foundation.
enum LogTime {
    static var now: Double {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    static func text(_ seconds: Double) -> String {
        let total = Int64(seconds * 1000)
        let (days, ofDay) = (total / 86_400_000, total % 86_400_000)
        let (year, month, day) = date(days)
        let time = [ofDay / 3_600_000, ofDay / 60_000 % 60, ofDay / 1000 % 60].map { padded($0, 2) }
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))T\(time.joined(separator: ":"))"
            + ".\(padded(ofDay % 1000, 3))Z"
    }

    /// Gregorian date of a day counted from 1970-01-01 (not before it): eras of 400 years that begin on 1 March.
    private static func date(_ days: Int64) -> (Int64, Int64, Int64) {
        let shifted = days + 719_468
        let ofEra = shifted % 146_097
        let year = (ofEra - ofEra / 1460 + ofEra / 36_524 - ofEra / 146_096) / 365
        let ofYear = ofEra - (365 * year + year / 4 - year / 100)
        let month = (5 * ofYear + 2) / 153
        let day = ofYear - (153 * month + 2) / 5 + 1
        let calendarMonth = month < 10 ? month + 3 : month - 9
        return (shifted / 146_097 * 400 + year + (calendarMonth <= 2 ? 1 : 0), calendarMonth, day)
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, width - text.utf8.count)) + text
    }
}
