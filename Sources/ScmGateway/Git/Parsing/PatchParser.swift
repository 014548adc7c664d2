/// The patch of one file.
struct GitPatch: Hashable, Sendable {
    /// From the first `@@` on; empty for a binary file and when only the mode changed.
    var bytes: [UInt8] = []
    /// It was too long and was left out.
    var isTruncated = false
}

/// Cuts `git diff-tree --patch` into the patches of files, fed in pieces of any size.
///
/// ```
/// diff --git a/x b/x            begins a file; no line of content can begin so, content has " ", "+", "-" or "\" first
/// index 1234..5678 100644       and other lines about the file
/// --- a/x
/// +++ b/x
/// @@ -1,2 +1,3 @@               from here on content
/// ```
///
/// Files come in the order of the raw entries. What became another kind of entry (a file a link) has two parts:
/// a deleted and an added file.
struct PatchParser {
    private let range: Range<Int>
    private let maximumByteCount: Int
    /// For each part of the output the change it belongs to.
    private let owners: [Int]
    private var part = -1
    private var isInContent = false
    private var patches: [GitPatch]
    private var rest: [UInt8] = []
    /// The line being read is longer than what is kept of it.
    private var isSkipping = false

    /// - Parameter range: which of the changes are wanted.
    init(changes: [GitFileChange], range: Range<Int>, maximumByteCount: Int) {
        self.range = range
        self.maximumByteCount = maximumByteCount
        owners = changes.enumerated().flatMap { index, change in
            change.kind == .typeChanged ? [index, index] : [index]
        }
        patches = Array(repeating: GitPatch(), count: range.count)
    }

    /// The rest of the output is of no interest.
    var isComplete: Bool { part >= owners.count || (part >= 0 && owners[part] >= range.upperBound) }

    mutating func feed(_ chunk: [UInt8]) {
        var position = 0
        while position < chunk.count, !isComplete {
            let end = chunk[position...].firstIndex(of: UInt8(ascii: "\n"))
            append(chunk[position..<(end ?? chunk.count)])
            guard let end else { return }
            endLine()
            position = end + 1
        }
    }

    /// The patches of the range; those that the output does not have are empty.
    mutating func finish() -> [GitPatch] {
        if !rest.isEmpty, !isComplete { endLine() }
        return patches
    }

    /// One line never takes more memory than a patch may have.
    private mutating func append(_ piece: ArraySlice<UInt8>) {
        guard !isSkipping else { return }
        guard rest.count + piece.count <= maximumByteCount + Self.headerByteCount else {
            isSkipping = true
            return
        }
        rest += piece
    }

    /// Longest line about a file: two quoted paths.
    private static let headerByteCount = 40_000
    private static let fileStart = Array("diff --git ".utf8)

    private mutating func endLine() {
        defer {
            rest.removeAll(keepingCapacity: true)
            isSkipping = false
        }
        if rest.starts(with: Self.fileStart) {
            part += 1
            isInContent = false
            return
        }
        if !isInContent { isInContent = rest.starts(with: "@@ ".utf8) }
        guard isInContent, part >= 0, part < owners.count, range.contains(owners[part]) else { return }
        let index = owners[part] - range.lowerBound
        guard !patches[index].isTruncated else { return }
        guard !isSkipping, patches[index].bytes.count + rest.count + 1 <= maximumByteCount else {
            patches[index] = GitPatch(isTruncated: true)
            return
        }
        patches[index].bytes += rest
        patches[index].bytes.append(UInt8(ascii: "\n"))
    }
}
