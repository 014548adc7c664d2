/// Two trees (or commits, for their trees) to compare.
struct ChangeQuery: Hashable, Sendable {
    var from: ObjectID
    var to: ObjectID
    /// Renames are a deleted and an added file.
    var withoutRenames = false
}

/// How two commits relate.
struct CommitComparison: Hashable, Sendable {
    /// Commits that only the newer side reaches.
    var aheadCount: Int
    /// Commits that only the older side reaches.
    var behindCount: Int
    /// nil when the histories are not related.
    var mergeBase: ObjectID?
}

extension GitEngine {
    /// What differs between two trees, in git's order.
    ///
    /// - Throws: ``GitError``.
    func changes(_ query: ChangeQuery, in repository: GitRepository) async throws -> [GitFileChange] {
        let command = command(for: query).flag(.nulTerminated).flag(.raw).flag(.numberStatistics)
        let output: [UInt8]
        do {
            output = try await runner.output(of: ids(query, command), in: repository)
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        return try await offLoop {
            var parser = FileChangeParser(output, limit: .max)
            return try parser.parseChanges()
        }
    }

    /// The patches of `changes[range]`, in their order, where `changes` is what ``changes(_:in:)`` gave.
    ///
    /// - Parameters:
    ///   - contextLineCount: unchanged lines around each change.
    ///   - maximumByteCount: of one patch.
    /// - Throws: ``GitError``.
    func patches(
        _ query: ChangeQuery, of changes: [GitFileChange], _ range: Range<Int>, contextLineCount: Int,
        maximumByteCount: Int, in repository: GitRepository
    ) async throws -> [GitPatch] {
        let range = range.clamped(to: 0..<changes.count)
        guard !range.isEmpty else { return [] }
        let command = command(for: query)
            .flag(.patch).flag(.contextLines, Int64(contextLineCount)).flag(.noColor)
        var parser = PatchParser(changes: changes, range: range, maximumByteCount: maximumByteCount)
        do {
            try await runner.stream(ids(query, command), in: repository) { chunk in
                parser.feed(chunk)
                if parser.isComplete { throw EnoughOutput() }
            }
        } catch is EnoughOutput {
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        return parser.finish()
    }

    private func command(for query: ChangeQuery) -> GitCommand {
        GitCommand(.diffTree)
            .flag(.recursive).flag(query.withoutRenames ? .noRenames : .detectRenames).flag(.renameLimit)
            .flag(.noExternalDiff).flag(.noTextConversion)
    }

    private func ids(_ query: ChangeQuery, _ command: GitCommand) -> GitCommand {
        command.including(query.from).including(query.to)
    }

    /// - Throws: ``GitError``.
    func compare(
        _ base: ObjectID, _ head: ObjectID, in repository: GitRepository
    ) async throws -> CommitComparison {
        do {
            let count = GitCommand(.revList).flag(.count).flag(.leftRight).symmetricDifference(base, head)
            let output = try await runner.output(of: count, in: repository)
            let numbers = output.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\n") }.map(decimal)
            guard numbers.count == 2, let behind = numbers[0], let ahead = numbers[1] else {
                throw GitError.corruptAnswer("rev-list printed no counts")
            }
            return CommitComparison(
                aheadCount: Int(clamping: ahead), behindCount: Int(clamping: behind),
                mergeBase: try await mergeBase(base, head, in: repository)
            )
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
    }

    private func mergeBase(
        _ left: ObjectID, _ right: ObjectID, in repository: GitRepository
    ) async throws -> ObjectID? {
        let output: [UInt8]
        do {
            let command = GitCommand(.mergeBase).including(left).including(right)
            output = try await runner.output(of: command, in: repository)
        } catch GitError.failed(_, message: "") {
            // Silence and a failure: there is none.
            return nil
        }
        return output.split(separator: UInt8(ascii: "\n")).first.flatMap { ObjectID(bytes: $0) }
    }
}

extension ObjectID {
    /// The tree without entries, which git knows without storing it.
    static func emptyTree(like id: ObjectID) -> ObjectID {
        let hex = id.hex.utf8.count == 40
            ? "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
            : "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
        return ObjectID(hex) ?? id
    }
}
