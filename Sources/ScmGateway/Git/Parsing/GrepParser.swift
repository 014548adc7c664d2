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
    /// Without line end, at most ``GrepParser/maximumLineCharacterCount`` characters; bytes that are not UTF-8 are U+FFFD.
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
        var bytes = chunk[...]
        if isSkipping {
            guard let end = Self.index(of: UInt8(ascii: "\n"), in: bytes) else { return [] }
            bytes = bytes[(end + 1)...]
            isSkipping = false
        }
        buffer += bytes
        var position = 0
        while let end = try record(from: position, &complete) { position = end }
        buffer.removeFirst(min(position, buffer.count))
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
    private mutating func record(from start: Int, _ complete: inout [FoundFile]) throws(GitError) -> Int? {
        let bytes = buffer[start...]
        if bytes.starts(with: "--\n".utf8) { return start + 3 }
        guard bytes.count > prefix.count else { return nil }
        guard bytes.starts(with: prefix) else { throw GitError.corruptAnswer("grep printed a line without its commit") }
        guard let nameEnd = Self.index(of: 0, in: bytes), let numberEnd = Self.index(of: 0, in: buffer[(nameEnd + 1)...])
        else {
            guard bytes.count < 1 << 20 else { throw GitError.corruptAnswer("a name that grep printed does not end") }
            return nil
        }
        guard let number = decimal(buffer[(nameEnd + 1)..<numberEnd]) else {
            throw GitError.corruptAnswer("grep printed a line without its number")
        }
        let lineStart = numberEnd + 1
        let end = Self.index(of: UInt8(ascii: "\n"), in: buffer[lineStart...])
        guard let end = end ?? (buffer.count - lineStart > Self.maximumLineByteCount ? buffer.count : nil) else { return nil }
        isSkipping = end == buffer.count
        add(
            Int(clamping: number), buffer[lineStart..<min(end, lineStart + Self.maximumLineByteCount)],
            of: bytes[(start + prefix.count)..<nameEnd], &complete
        )
        return isSkipping ? end : end + 1
    }

    private mutating func add(
        _ number: Int, _ line: ArraySlice<UInt8>, of path: ArraySlice<UInt8>, _ complete: inout [FoundFile]
    ) {
        if file?.path.elementsEqual(path) != true {
            if let file { complete.append(file) }
            file = FoundFile(path: Array(path))
            (matchCount, fileByteCount) = (0, 0)
        }
        guard file?.isTruncated == false else { return }
        let isMatch = line.starts(with: rest) || line.starts(with: match)
        if isMatch { matchCount += 1 }
        guard matchCount <= maximumMatchCount, fileByteCount < Self.maximumFileByteCount else {
            truncate()
            return
        }
        let found = isMatch ? marked(line, number) : FoundLine(
            number: number, text: Self.text(line), ranges: [], isMatch: false
        )
        fileByteCount += found.text.utf8.count + found.ranges.count * 16 + 60
        file?.lines.append(found)
    }

    /// Ends a file early, without the lines that are near a match that was left out and none that was kept.
    private mutating func truncate() {
        file?.isTruncated = true
        guard let lines = file?.lines, let last = lines.last(where: \.isMatch)?.number else { return }
        file?.lines.removeAll { $0.number > last + contextLineCount }
    }

    /// A line of marked parts. A part ends with a reset where the next mark, or the line's end, follows; another
    /// reset is the file's own.
    private func marked(_ line: ArraySlice<UInt8>, _ number: Int) -> FoundLine {
        var found = FoundLine(number: number, text: "", ranges: [], isMatch: true)
        var part = line.startIndex
        while part < line.endIndex {
            let isMatch = line[part...].starts(with: match)
            let start = part + (isMatch ? match.count : rest.count)
            let next = nextMark(line, from: start)
            var body = line[min(start, next)..<next]
            if body.suffix(GrepColours.reset.count).elementsEqual(GrepColours.reset) {
                body = body.dropLast(GrepColours.reset.count)
            }
            let before = found.text.utf8.count
            found.text += String(decoding: body, as: UTF8.self)
            if isMatch, !body.isEmpty { found.ranges.append(before..<found.text.utf8.count) }
            part = next
        }
        found.text = Self.cut(found.text)
        let end = found.text.utf8.count
        found.ranges = found.ranges.compactMap { $0.lowerBound < end ? $0.clamped(to: 0..<end) : nil }
        return found
    }

    private func nextMark(_ line: ArraySlice<UInt8>, from start: Int) -> Int {
        var position = start
        while position < line.endIndex, let escape = Self.index(of: 0x1B, in: line[position...]) {
            let rest = line[escape...]
            if rest.starts(with: match) || rest.starts(with: self.rest) { return escape }
            position = escape + 1
        }
        return line.endIndex
    }

    private static func text(_ line: ArraySlice<UInt8>) -> String { cut(String(decoding: line, as: UTF8.self)) }

    private static func cut(_ text: String) -> String {
        let text = text.utf8.last == UInt8(ascii: "\r") ? String(text.unicodeScalars.dropLast()) : text
        guard text.utf8.count > maximumLineCharacterCount else { return text }
        return String(text.unicodeScalars.prefix(maximumLineCharacterCount))
    }

    /// As `firstIndex(of:)`, with the C library's fast search.
    private static func index(of byte: UInt8, in bytes: ArraySlice<UInt8>) -> Int? {
        bytes.withUnsafeBytes { memory in
            guard let base = memory.baseAddress, let found = memchr(base, Int32(byte), memory.count) else { return nil }
            return bytes.startIndex + (UnsafeRawPointer(found) - base)
        }
    }
}
