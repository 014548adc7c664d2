import Foundation

/// The colours in which a search asks git to print: they tell where the matches of a line are, which git says in no
/// other way for more than the first.
///
/// Both are chosen anew for each search, so that no file can hold them on purpose.
struct GrepColours: Sendable {
    /// Of a match.
    let match: Colour
    /// Of the rest of a line with a match.
    let rest: Colour

    init() {
        var numbers = SystemRandomNumberGenerator()
        let number = UInt32.random(in: 0..<(1 << 24), using: &numbers)
        match = Colour(number: number)
        rest = Colour(number: number ^ UInt32.random(in: 1..<(1 << 24), using: &numbers))
    }

    struct Colour: Sendable {
        fileprivate let number: UInt32
        private var parts: [UInt32] { [number >> 16, number >> 8 & 255, number & 255] }

        /// As configuration says it: `#rrggbb`.
        var setting: String {
            "#" + parts.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        }

        /// As a terminal gets it.
        var escape: [UInt8] { Array("\u{1B}[38;2;\(parts.map(String.init).joined(separator: ";"))m".utf8) }
    }

    static let reset = Array("\u{1B}[m".utf8)
}

/// A line that a search printed.
struct FoundLine: Hashable, Sendable {
    /// 1-based.
    var number: Int
    /// Without line end, at most ``GrepParser/maximumLineCharacterCount`` characters; bytes that are not UTF-8 are
    /// U+FFFD.
    var text: String
    /// The matches, in bytes of `text`'s UTF-8.
    var ranges: [Range<Int>]
    /// False for one that is only near a match.
    var isMatch: Bool
}

/// A file with matches, its lines in order.
struct FoundFile: Hashable, Sendable {
    var path: [UInt8]
    var lines: [FoundLine] = []
    /// It has more matching lines.
    var isTruncated = false
    var byteCount: Int { path.count + lines.reduce(100) { $0 + $1.text.utf8.count + $1.ranges.count * 16 + 60 } }
}

/// Reads what `git grep -z -n --color=always COMMIT` prints, fed in pieces of any size.
///
/// ```
/// output = *( record / "--" LF )                 ; the latter between places that are not next to each other
/// record = COMMIT ":" path NUL number NUL line LF
/// line   = *( ( MATCH / REST ) text RESET )      ; with a match
///        / text                                  ; near one
/// ```
///
/// A path may hold a newline, and a line beyond git's test for binary files a NUL; what counts is their order.
struct GrepParser {
    /// Longer lines are cut.
    static let maximumLineCharacterCount = 1000
    /// How much of a printed line is kept, marks included.
    private static let maximumLineByteCount = 32 * 1024
    /// Text of one file; what is beyond is left out.
    private static let maximumFileByteCount = 256 * 1024

    private let prefix: [UInt8]
    private let match: [UInt8]
    private let rest: [UInt8]
    private let maximumMatchCount: Int
    private let contextLineCount: Int

    private var buffer: [UInt8] = []
    /// The rest of a line of which enough is known is being skipped.
    private var isSkipping = false
    private var file: FoundFile?
    private var matchCount = 0
    /// Number of the last matching line that is kept.
    private var lastMatch = 0
    private var fileByteCount = 0

    /// - Parameter maximumMatchCount: matching lines kept for one file.
    init(commit: ObjectID, colours: GrepColours, maximumMatchCount: Int, contextLineCount: Int) {
        prefix = Array("\(commit.hex):".utf8)
        match = colours.match.escape
        rest = colours.rest.escape
        self.maximumMatchCount = maximumMatchCount
        self.contextLineCount = contextLineCount
    }

    /// - Returns: files that are complete.
    /// - Throws: ``GitError/corruptAnswer(_:)``.
    mutating func feed(_ chunk: [UInt8]) throws(GitError) -> [FoundFile] {
        var complete: [FoundFile] = []
        var position = 0
        if isSkipping {
            guard let end = chunk.firstIndex(of: UInt8(ascii: "\n")) else { return [] }
            position = end + 1
            isSkipping = false
        }
        // What is left of the last chunk is less than a line.
        let bytes = buffer.isEmpty ? chunk : buffer + chunk[position...]
        if !buffer.isEmpty { position = 0 }
        buffer = []
        let failure = bytes.withUnsafeBytes { memory -> GitError? in
            do throws(GitError) {
                while let end = try record(memory, from: position, &complete) { position = end }
                return nil
            } catch { return error }
        }
        if let failure { throw failure }
        buffer = Array(bytes[min(position, bytes.count)...])
        return complete
    }

    /// The last file.
    ///
    /// - Throws: ``GitError/corruptAnswer(_:)`` when the output ended inside a record.
    mutating func finish() throws(GitError) -> FoundFile? {
        guard buffer.isEmpty, !isSkipping else { throw GitError.corruptAnswer("grep's output ends inside a line") }
        defer { file = nil }
        return file
    }

    /// - Returns: where the next record begins; nil when more bytes are needed.
    private mutating func record(
        _ bytes: UnsafeRawBufferPointer, from start: Int, _ complete: inout [FoundFile]
    ) throws(GitError) -> Int? {
        if Self.has(bytes, Self.gap, at: start) { return start + Self.gap.count }
        guard bytes.count - start > prefix.count else { return nil }
        guard Self.has(bytes, prefix, at: start) else {
            throw GitError.corruptAnswer("grep printed a line without its commit")
        }
        guard let nameEnd = Self.index(of: 0, in: bytes, from: start + prefix.count),
            let numberEnd = Self.index(of: 0, in: bytes, from: nameEnd + 1)
        else {
            guard bytes.count - start < 1 << 20 else {
                throw GitError.corruptAnswer("a name that grep printed does not end")
            }
            return nil
        }
        guard let number = Self.number(bytes[(nameEnd + 1)..<numberEnd]) else {
            throw GitError.corruptAnswer("grep printed a line without its number")
        }
        let lineStart = numberEnd + 1
        let end = Self.index(of: UInt8(ascii: "\n"), in: bytes, from: lineStart)
        guard let end = end ?? (bytes.count - lineStart > Self.maximumLineByteCount ? bytes.count : nil) else {
            return nil
        }
        isSkipping = end == bytes.count
        add(
            number,
            UnsafeRawBufferPointer(rebasing: bytes[lineStart..<min(end, lineStart + Self.maximumLineByteCount)]),
            of: UnsafeRawBufferPointer(rebasing: bytes[(start + prefix.count)..<nameEnd]), &complete
        )
        return isSkipping ? end : end + 1
    }

    private mutating func add(
        _ number: Int, _ line: UnsafeRawBufferPointer, of path: UnsafeRawBufferPointer, _ complete: inout [FoundFile]
    ) {
        if file.map({ $0.path.count == path.count && Self.has(path, $0.path, at: 0) }) != true {
            if let file { complete.append(file) }
            file = FoundFile(path: Array(path))
            (matchCount, lastMatch, fileByteCount) = (0, 0, 0)
        }
        let isMarked = Self.has(line, rest, at: 0) || Self.has(line, match, at: 0)
        if isMarked { matchCount += 1 }
        if matchCount > maximumMatchCount || fileByteCount >= Self.maximumFileByteCount { file?.isTruncated = true }
        var isMatch = isMarked
        if file?.isTruncated == true {
            // A match that is not kept may still be near one that is.
            guard fileByteCount < Self.maximumFileByteCount, number <= lastMatch + contextLineCount else {
                cutContext()
                return
            }
            isMatch = false
        } else if isMatch {
            lastMatch = number
        }
        var found = isMarked ? marked(line, number) : FoundLine(
            number: number, text: Self.text(line), ranges: [], isMatch: false
        )
        if !isMatch { (found.ranges, found.isMatch) = ([], false) }
        fileByteCount += found.text.utf8.count + found.ranges.count * 16 + 60
        file?.lines.append(found)
    }

    /// Drops the lines that are near a match that was left out and none that was kept.
    private mutating func cutContext() {
        guard let last = file?.lines.last?.number, last > lastMatch + contextLineCount else { return }
        file?.lines.removeAll { $0.number > lastMatch + contextLineCount }
    }

    /// A line of marked parts, most of which are ASCII: one pass, and its text is the only thing that is made.
    private func marked(_ line: UnsafeRawBufferPointer, _ number: Int) -> FoundLine {
        var ranges: [Range<Int>] = []
        var isASCII = true
        let text = String(unsafeUninitializedCapacity: line.count) { memory in
            var count = 0
            forEachPart(line) { body, isMatch in
                isASCII = isASCII && Self.isASCII(body)
                if isMatch { ranges.append(count..<(count + body.count)) }
                UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(memory)[count...])
                    .copyMemory(from: body)
                count += body.count
            }
            return isASCII ? count : 0
        }
        return isASCII ? Self.line(number, text, ranges) : repaired(line, number)
    }

    /// The same for parts that are not ASCII: one by one, so that what is no UTF-8 in one does not move the others.
    private func repaired(_ line: UnsafeRawBufferPointer, _ number: Int) -> FoundLine {
        var text = ""
        var ranges: [Range<Int>] = []
        forEachPart(line) { body, isMatch in
            let before = text.utf8.count
            text += String(decoding: body, as: UTF8.self)
            if isMatch { ranges.append(before..<text.utf8.count) }
        }
        return Self.line(number, text, ranges)
    }

    /// Hands over what is in the parts of a line, without what is empty. A part ends with a reset where the next mark,
    /// or the line's end, follows; another reset is the file's own.
    private func forEachPart(_ line: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer, Bool) -> Void) {
        var part = 0
        while part < line.count {
            let isMatch = Self.has(line, match, at: part)
            let start = part + (isMatch ? match.count : rest.count)
            let next = nextMark(line, from: start)
            let reset = next - GrepColours.reset.count
            let end = reset >= start && Self.has(line, GrepColours.reset, at: reset) ? reset : next
            if start < end { body(UnsafeRawBufferPointer(rebasing: line[start..<end]), isMatch) }
            part = next
        }
    }

    /// A line with matches, cut where it is too long.
    private static func line(_ number: Int, _ text: String, _ ranges: [Range<Int>]) -> FoundLine {
        let text = cut(text)
        let end = text.utf8.count
        guard let last = ranges.last, last.upperBound > end else {
            return FoundLine(number: number, text: text, ranges: ranges, isMatch: true)
        }
        return FoundLine(
            number: number, text: text,
            ranges: ranges.compactMap { $0.lowerBound < end ? $0.clamped(to: 0..<end) : nil }, isMatch: true
        )
    }

    private func nextMark(_ line: UnsafeRawBufferPointer, from start: Int) -> Int {
        var position = start
        while let escape = Self.index(of: 0x1B, in: line, from: position) {
            if Self.has(line, match, at: escape) || Self.has(line, rest, at: escape) { return escape }
            position = escape + 1
        }
        return line.count
    }

    private static func text(_ line: UnsafeRawBufferPointer) -> String { cut(String(decoding: line, as: UTF8.self)) }

    private static func cut(_ text: String) -> String {
        let text = text.utf8.last == UInt8(ascii: "\r") ? String(text.unicodeScalars.dropLast()) : text
        guard text.utf8.count > maximumLineCharacterCount else { return text }
        return String(text.unicodeScalars.prefix(maximumLineCharacterCount))
    }

    // MARK: Bytes

    /// Between places that are not next to each other.
    private static let gap = Array("--\n".utf8)

    /// Whether `wanted` is in `bytes` at a place; false when `bytes` ends before.
    private static func has(_ bytes: UnsafeRawBufferPointer, _ wanted: [UInt8], at place: Int) -> Bool {
        guard let base = bytes.baseAddress, place >= 0, bytes.count - place >= wanted.count else {
            return wanted.isEmpty
        }
        return wanted.withUnsafeBytes { other in
            guard let start = other.baseAddress else { return true }
            return memcmp(base + place, start, other.count) == 0
        }
    }

    private static func index(of byte: UInt8, in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
        guard let base = bytes.baseAddress, start < bytes.count,
            let found = memchr(base + start, Int32(byte), bytes.count - start)
        else { return nil }
        return UnsafeRawPointer(found) - base
    }

    private static func isASCII(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var all: UInt8 = 0
        for byte in bytes { all |= byte }
        return all < 0x80
    }

    /// A number of at most eighteen digits, which cannot overflow.
    private static func number(_ digits: Slice<UnsafeRawBufferPointer>) -> Int? {
        guard (1...18).contains(digits.count) else { return nil }
        var number = 0
        for digit in digits {
            guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
            number = number * 10 + Int(digit - UInt8(ascii: "0"))
        }
        return number
    }
}
