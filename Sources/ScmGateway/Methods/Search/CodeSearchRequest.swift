import RPC
import ScmAPI

/// A checked SearchCodeRequest: what to look for, and where.
struct CodeSearchRequest: Sendable {
    private static let standardMatchCount = 100
    private static let maximumMatchCount = 1000

    /// nil for all repositories.
    let repositoryID: Int64?
    /// nil for each repository's default branch.
    let revision: Revision?
    /// All but the commit.
    private let pattern: CodePattern

    /// - Parameter request: of no integration.
    /// - Throws: INVALID_ARGUMENT that names the field.
    init(_ request: SearchCodeRequest) throws {
        guard request.repositoryID >= 0 else { throw RPCError.badField("repository_id", "an id is not negative") }
        repositoryID = request.repositoryID == 0 ? nil : request.repositoryID
        revision = try Self.field("ref") { () throws(GitError) in
            request.ref.isEmpty ? nil : try Revision(request.ref)
        }
        var pattern = CodePattern(text: request.query)
        pattern.conditions = try Self.field("path_prefix") { () throws(GitError) in
            try PathConditions(prefix: request.pathPrefix, fileExtension: request.extension, name: request.filename)
        }
        switch request.syntax {
        case .unspecified, .literal: break
        case .regex: pattern.isExpression = true
        default: throw RPCError.badField("syntax", "there is no syntax \(request.syntax.rawValue)")
        }
        pattern.isCaseSensitive = request.caseSensitive
        pattern.wholeWords = request.wholeWord
        guard (0...CodePattern.maximumContextLineCount).contains(Int(request.contextLines)) else {
            throw RPCError.badField("context_lines", "0 to \(CodePattern.maximumContextLineCount)")
        }
        pattern.contextLineCount = Int(request.contextLines)
        guard (0...Self.maximumMatchCount).contains(Int(request.maxMatchesPerFile)) else {
            throw RPCError.badField("max_matches_per_file", "0 to \(Self.maximumMatchCount)")
        }
        pattern.maximumMatchCount =
            request.maxMatchesPerFile == 0 ? Self.standardMatchCount : Int(request.maxMatchesPerFile)
        pattern.included = try Self.globs(request.includeGlobs, "include_globs", isExcluded: false)
        pattern.excluded = try Self.globs(request.excludeGlobs, "exclude_globs", isExcluded: true)
        try Self.field("query") { () throws(GitError) in try SearchExpression.check(pattern) }
        self.pattern = pattern
    }

    func query(at commit: ObjectID) -> CodeQuery {
        CodeQuery(commit: commit, pattern: pattern)
    }

    /// Everything that chooses what is found.
    static func pageFilter(_ request: SearchCodeRequest, organizationID: Int64) throws(RPCError) -> PageFilter {
        var request = request
        (request.pageToken, request.pageSize, request.organizationID) = ("", 0, organizationID)
        return try PageFilter("SearchCode", message: request)
    }

    private static func globs(_ globs: [String], _ field: String, isExcluded: Bool) throws -> [PathPattern] {
        guard globs.count <= CodePattern.maximumGlobCount else {
            throw RPCError.badField(field, "at most \(CodePattern.maximumGlobCount) are allowed")
        }
        return try globs.map { glob in
            try Self.field(field) { () throws(GitError) in try PathPattern(glob: glob, isExcluded: isExcluded) }
        }
    }

    private static func field<R>(_ name: String, _ body: () throws(GitError) -> R) throws(RPCError) -> R {
        do {
            return try body()
        } catch {
            switch error {
            case .invalidPath(let problem), .invalidPattern(let problem), .invalidRevision(let problem):
                throw RPCError.badField(name, problem)
            default: throw RPCError.badField(name, "cannot be used")
            }
        }
    }
}

extension CodeMatch {
    init(_ file: FoundFile, blob: ObjectID, in row: StoredRepository, commit: ObjectID) {
        let path = PathText(file.path)
        self.init(
            repositoryID: row.id, path: path.text, sha: blob.hex, ref: commit.hex,
            webURL: row.page(
                path, at: commit.hex, line: Int32(clamping: file.lines.first { !$0.ranges.isEmpty }?.number ?? 0)
            ),
            fragments: CodeFragment.fragments(of: file.lines), rawPath: path.raw, truncated: file.isTruncated
        )
    }
}

extension CodeFragment {
    /// Lines that follow each other are one fragment.
    fileprivate static func fragments(of lines: [FoundLine]) -> [CodeFragment] {
        var fragments: [CodeFragment] = []
        fragments.reserveCapacity(lines.count)
        var start = 0
        while start < lines.count {
            var end = start + 1
            while end < lines.count, lines[end].number == lines[end - 1].number + 1 { end += 1 }
            fragments.append(CodeFragment(lines[start..<end]))
            start = end
        }
        return fragments
    }

    /// - Parameter lines: at least one.
    private init(_ lines: ArraySlice<FoundLine>) {
        self.init(startLine: Int32(clamping: lines.first?.number ?? 0))
        ranges.reserveCapacity(lines.reduce(0) { $0 + $1.ranges.count })
        var byteCount = 0
        for line in lines {
            for range in line.ranges {
                ranges.append(TextRange(
                        start: Int32(clamping: byteCount + range.lowerBound),
                        end: Int32(clamping: byteCount + range.upperBound)
                ))
            }
            byteCount += line.text.utf8.count + 1
        }
        text = lines.count == 1 ? lines.first?.text ?? "" : lines.map(\.text).joined(separator: "\n")
    }
}
