import ScmAPI

/// Opens the repositories of one kind.
protocol RepositoryProvider: Sendable {
    var provider: Provider { get }
    /// What its repositories can do, by number.
    var capabilities: [Capability] { get }
    /// What they cannot, with reasons for people.
    var missing: [MissingCapability] { get }

    /// - Throws: ``GitError`` when the repository cannot be read.
    func repository(_ row: StoredRepository) async throws -> any SourceRepository
}

/// A repository and all that handlers may ask of it. What a provider does not implement answers
/// ``GitError/capabilityMissing(_:)``, the same as its ``RepositoryProvider/missing`` says beforehand.
protocol SourceRepository: CommitProvider, ReferenceProvider, TreeProvider, BlameProvider, CodeSearchProvider {}

extension SourceRepository {
    func fileChanges(_ ids: [ObjectID]) async throws -> FileChangeParser.Result { throw Self.missing("file changes") }
    func changes(_ query: ChangeQuery) async throws -> [GitFileChange] { throw Self.missing("file changes") }

    func patches(
        _ query: ChangeQuery, of changes: [GitFileChange], _ range: Range<Int>, contextLineCount: Int,
        maximumByteCount: Int
    ) async throws -> [GitPatch] { throw Self.missing("file changes") }

    func compare(_ base: ObjectID, _ head: ObjectID) async throws -> CommitComparison {
        throw Self.missing("comparing")
    }

    func files(at commit: ObjectID) async throws -> FileList { throw Self.missing("listing all files") }

    func tags(_ ids: [ObjectID]) async throws -> [TagObject] { throw Self.missing("tags") }

    func blameLine(_ line: Int, _ query: BlameQuery) async throws -> GitBlameHunk { throw Self.missing("blame") }
    func prepareBlame(of lines: [Int], _ query: BlameQuery) async throws { throw Self.missing("blame") }
    func blame(_ query: BlameQuery, deliver: @Sendable ([GitBlameHunk]) async throws -> Void) async throws {
        throw Self.missing("blame")
    }
    func snippet(_ path: RepositoryPath, line: Int, at commit: ObjectID) async throws -> Snippet? {
        throw Self.missing("blame")
    }
    func ignoredCommits(in path: RepositoryPath, at commit: ObjectID) async throws -> [ObjectID] {
        throw Self.missing("blame")
    }
    func existingCommits(_ ids: [ObjectID]) async throws -> [ObjectID] { throw Self.missing("blame") }

    func search(
        _ query: CodeQuery, deliver: ([(file: FoundFile, blob: ObjectID)]) async throws -> Bool
    ) async throws -> Bool { throw Self.missing("code search") }
    func searchRun(_ query: CodeQuery, from start: Int) async throws -> FoundFiles { throw Self.missing("code search") }

    private static func missing(_ what: String) -> GitError { .capabilityMissing(what) }
}
