import FrameCodec
import ScmAPI

extension Repository {
    init(_ row: StoredRepository) {
        self.init(
            id: row.id,
            organizationID: row.organizationID,
            name: row.name,
            url: row.url,
            provider: ProviderSlug.provider(column: row.provider),
            externalID: row.externalID,
            status: RepositoryStatus(rawValue: Int32(truncatingIfNeeded: row.status.rawValue)),
            dateAdded: .init(millisecondsSinceEpoch: row.createdAt),
            config: row.config.filter { !ConfigRules.isSecret($0.key) },
            defaultBranch: row.defaultBranch,
            dateUpdated: .init(millisecondsSinceEpoch: row.updatedAt),
            webURL: row.webURL,
            mirror: row.mirror.map(Mirror.init)
        )
    }
}

extension Protobuf.Timestamp {
    init(millisecondsSinceEpoch milliseconds: Int64) {
        let (seconds, rest) = milliseconds.quotientAndRemainder(dividingBy: 1000)
        let isNegative = rest < 0
        self.init(
            seconds: isNegative ? seconds - 1 : seconds,
            nanos: Int32(truncatingIfNeeded: (isNegative ? rest + 1000 : rest) * 1_000_000)
        )
    }

    /// nil for a time outside of what a timestamp can say; commits may hold any number.
    init?(gitSeconds: Int64?) {
        guard let gitSeconds else { return nil }
        self.init(seconds: gitSeconds, nanos: 0)
        guard isValid else { return nil }
    }
}

extension CommitAuthor {
    /// Longest name in characters that the contract allows.
    private static let maximumNameCount = 128

    init(_ identity: GitIdentity) {
        // Bytes first: counting characters is dear, and few names are long.
        let isLong = identity.name.utf8.count > Self.maximumNameCount && identity.name.count > Self.maximumNameCount
        self.init(
            name: isLong ? String(identity.name.prefix(Self.maximumNameCount)) : identity.name,
            email: identity.email,
            date: Protobuf.Timestamp(gitSeconds: identity.seconds)
        )
    }
}

extension Commit {
    init(_ commit: CommitObject, in row: StoredRepository) {
        self.init(
            repositoryID: row.id,
            key: commit.id.hex,
            message: commit.message,
            author: CommitAuthor(commit.author),
            dateAdded: Protobuf.Timestamp(gitSeconds: commit.committer.seconds),
            committer: CommitAuthor(commit.committer),
            parentSHAs: commit.parents.map(\.hex),
            webURL: row.page(of: commit.id)
        )
    }

    mutating func add(_ changes: FileChangeParser.Result, of id: ObjectID, withStatistics: Bool) {
        fileChanges = (changes.changes[id] ?? [])
            .sorted { $0.path.lexicographicallyPrecedes($1.path) }
            .map { FileChange($0, withStatistics: withStatistics) }
        fileChangesTruncated = changes.truncated.contains(id)
    }
}

extension FileChange {
    init(_ change: GitFileChange, withStatistics: Bool) {
        let path = PathText(change.path)
        let previous = PathText(change.previousPath ?? [])
        self.init()
        self.path = path.text
        rawPath = path.raw
        previousPath = previous.text
        rawPreviousPath = previous.raw
        type = ChangeType(change.kind)
        binary = change.additions == nil
        if withStatistics {
            additions = Int32(clamping: change.additions ?? 0)
            deletions = Int32(clamping: change.deletions ?? 0)
        }
        similarity = Int32(clamping: change.similarity)
        objectID = change.objectID?.hex ?? ""
        previousObjectID = change.previousObjectID?.hex ?? ""
    }
}

extension TreeEntry {
    init(_ entry: GitTreeEntry) {
        let path = PathText(entry.path)
        self.init(
            path: path.text, type: TreeEntryType(mode: entry.mode), mode: entry.mode, objectID: entry.id.hex,
            size: Int64(entry.byteCount ?? 0), rawPath: path.raw
        )
    }
}

extension TreeEntryType {
    init(mode: Int32) {
        switch mode {
        // Old tools wrote 0o100664, too.
        case 0o100000...0o107777: self = mode & 0o100 == 0 ? .file : .executable
        case 0o120000: self = .symlink
        case 0o040000: self = .directory
        case 0o160000: self = .submodule
        default: self = .unspecified
        }
    }
}

extension ChangeType {
    init(_ kind: GitFileChange.Kind) {
        switch kind {
        case .added: self = .added
        case .modified: self = .modified
        case .deleted: self = .deleted
        case .renamed: self = .renamed
        case .copied: self = .copied
        case .typeChanged: self = .typeChanged
        case .unknown: self = .unknown
        }
    }
}

extension BlameHunk {
    /// - Parameter withCommit: false leaves out what was said with an earlier hunk of the same commit.
    init(_ hunk: GitBlameHunk, withCommit: Bool) {
        let original = PathText(hunk.originalPath)
        let previous = PathText(hunk.previous?.path ?? [])
        self.init(
            firstLine: Int32(clamping: hunk.line),
            lineCount: Int32(clamping: hunk.lineCount),
            originalFirstLine: Int32(clamping: hunk.originalLine),
            originalPath: original.text,
            commitSHA: hunk.commit.hex,
            previousSHA: hunk.previous?.commit.hex ?? "",
            previousPath: previous.text,
            boundary: hunk.isBoundary,
            rawOriginalPath: original.raw,
            rawPreviousPath: previous.raw
        )
        guard withCommit else { return }
        summary = hunk.details.summary
        author = CommitAuthor(hunk.details.author)
        committer = CommitAuthor(hunk.details.committer)
        committedAt = Protobuf.Timestamp(gitSeconds: hunk.details.committer.seconds)
    }
}

/// A path of git as the contract carries it: text, and the exact bytes when they are not UTF-8.
struct PathText {
    let text: String
    let raw: [UInt8]

    init(_ bytes: [UInt8]) {
        text = String(decoding: bytes, as: UTF8.self)
        raw = text.utf8.elementsEqual(bytes) ? [] : bytes
    }
}
