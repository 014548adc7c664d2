/// How far a transfer got.
struct TransferProgress: Sendable, Equatable {
    /// `receiving objects`, one of ``TransferProgressReader/phases``.
    var phase: String
    var done: Int64
    /// 0 when not known.
    var total: Int64
}

/// Reads git's progress lines from its standard error, fed in pieces of any size, and keeps the end of the other text.
///
/// `Receiving objects:  45% (9/20), 1.20 MiB | 2 MiB/s` ends with CR, and in the end with LF. Lines that the remote
/// sends begin with `remote: ` and may hold anything: of them only known phases and numbers are taken.
struct TransferProgressReader {
    static let phases = [
        "Enumerating objects", "Counting objects", "Compressing objects", "Receiving objects", "Resolving deltas",
    ]
    private static let maximumTextByteCount = 16 * 1024
    private static let maximumLineByteCount = 1024

    private var line: [UInt8] = []
    /// What is no progress, the last of it.
    private(set) var text = ""

    /// - Returns: the last progress that the bytes tell.
    mutating func feed(_ bytes: [UInt8]) -> TransferProgress? {
        var last: TransferProgress?
        for byte in bytes {
            guard byte == UInt8(ascii: "\r") || byte == UInt8(ascii: "\n") else {
                if line.count < Self.maximumLineByteCount { line.append(byte) }
                continue
            }
            if let progress = Self.progress(line) { last = progress } else { keep() }
            line.removeAll(keepingCapacity: true)
        }
        return last
    }

    /// Everything that is no progress, with an unfinished line.
    mutating func finish() -> String {
        keep()
        return text
    }

    private mutating func keep() {
        guard !line.isEmpty else { return }
        text += String(decoding: line, as: UTF8.self) + "\n"
        if text.utf8.count > Self.maximumTextByteCount { text = String(text.suffix(Self.maximumTextByteCount / 2)) }
        line.removeAll(keepingCapacity: true)
    }

    private static func progress(_ line: [UInt8]) -> TransferProgress? {
        var text = String(decoding: line, as: UTF8.self)[...]
        if text.hasPrefix("remote: ") { text = text.dropFirst("remote: ".count) }
        guard let phase = phases.first(where: { text.hasPrefix($0 + ":") }) else { return nil }
        let rest = text.dropFirst(phase.count + 1)
        if let open = rest.firstIndex(of: "("), let close = rest[open...].firstIndex(of: ")") {
            let numbers = rest[rest.index(after: open)..<close].split(separator: "/").compactMap { Int64($0) }
            if numbers.count == 2, numbers[0] >= 0, numbers[1] >= numbers[0] {
                return TransferProgress(phase: phase.lowercased(), done: numbers[0], total: numbers[1])
            }
        }
        let digits = rest.drop { $0 == " " }.prefix { $0.isNumber }
        return TransferProgress(phase: phase.lowercased(), done: Int64(digits) ?? 0, total: 0)
    }
}
