extension GitEngine {
    /// The commit that a revision stands for now.
    ///
    /// A full id that was seen before is answered from memory, as is HEAD while none of its files has changed.
    ///
    /// - Throws: ``GitError/emptyRepository``, ``GitError/revisionNotFound(_:)``,
    ///   ``GitError/ambiguousRevision(_:)``, ``GitError/repositoryMissing``.
    func resolve(_ revision: Revision, in repository: GitRepository) async throws -> ObjectID {
        if let id = revision.objectID {
            let key = CacheKey.commitExists(repository.id, id)
            if case .commitExists? = cache[key] { return id }
            let found = try await lookUp(revision, in: repository)
            // A tag's own id leads to another one, and is looked up each time.
            if found == id { cache.insert(.commitExists, for: key, byteCount: 200) }
            return found
        }
        guard revision.isHead else { return try await lookUp(revision, in: repository) }
        // A look at the files costs two changes of thread, more than all else that an answer from memory takes.
        let freshness = configuration.headFreshness
        guard freshness > .zero, !FreshCall.isRunning else { return try await lookAtHead(in: repository) }
        if let known = repository.head.commit(notOlderThan: freshness) { return known }
        return try await repository.head.look(notOlderThan: freshness) {
            try await self.lookAtHead(in: repository)
        }.value
    }

    private func lookAtHead(in repository: GitRepository) async throws -> ObjectID {
        let lookedAt = ContinuousClock.now
        guard let files = try await offLoop({ HeadFiles(repository.location) }) else {
            throw await explain(.notARepository("HEAD cannot be read"), in: repository)
        }
        if !FreshCall.isRunning, let known = repository.head.commit(for: files, lookedAt: lookedAt) { return known }
        let found: ObjectID
        do {
            found = try await lookUp(try Revision(files.target), in: repository)
        } catch GitError.revisionNotFound {
            throw GitError.emptyRepository
        }
        // Remembered only if nothing moved while git looked.
        if files.isComplete, !FreshCall.isRunning, try await offLoop({ HeadFiles(repository.location) }) == files {
            repository.head.remember(found, for: files, lookedAt: lookedAt)
        }
        return found
    }

    private func lookUp(_ revision: Revision, in repository: GitRepository) async throws -> ObjectID {
        let name = Array("\(revision.text)^{commit}".utf8)
        let result = try await ask([name], .info, in: repository) {
            try SpecialFiles(repository.location).checkName(revision.text)
        }[0]
        switch result {
        case .found(let object):
            guard !Self.isTooShort(revision, for: object.info.id) else {
                throw GitError.invalidRevision("an abbreviated object id has at least 7 digits")
            }
            return object.info.id
        case .ambiguous:
            throw GitError.ambiguousRevision(revision.text)
        case .missing:
            // `^{commit}` hides that an abbreviation fits several objects.
            if Self.mayAbbreviate(revision),
                case .ambiguous = try await info([Array(revision.text.utf8)], in: repository)[0]
            {
                throw GitError.ambiguousRevision(revision.text)
            }
            throw await explain(.revisionNotFound(revision.text), in: repository)
        }
    }

    private static func mayAbbreviate(_ revision: Revision) -> Bool {
        revision.text.utf8.count < 64 && revision.text.allSatisfy(\.isHexDigit)
    }

    /// Fewer than seven digits that abbreviate the id; a branch named `cafe` is still a branch.
    private static func isTooShort(_ revision: Revision, for id: ObjectID) -> Bool {
        revision.text.utf8.count < 7 && id.hex.hasPrefix(revision.text.lowercased())
    }

    /// Commits by id, in the order of the ids.
    ///
    /// - Throws: ``GitError/revisionNotFound(_:)`` when one is absent.
    func commits(_ ids: [ObjectID], in repository: GitRepository) async throws -> [CommitObject] {
        let repositoryID = repository.id
        var known: [ObjectID: CommitObject] = [:]
        for id in ids {
            if case .commit(let commit)? = cache[.commit(repositoryID, id)] { known[id] = commit }
        }
        let wanted = ids.filter { known[$0] == nil }
        for start in stride(from: 0, to: wanted.count, by: Self.questionCount) {
            let part = Array(wanted[start..<min(start + Self.questionCount, wanted.count)])
            for commit in try await readCommits(part, in: repository) {
                known[commit.id] = commit
                cache.insert(.commit(commit), for: .commit(repositoryID, commit.id), byteCount: commit.byteCount)
            }
        }
        return try ids.map { id in
            guard let commit = known[id] else { throw GitError.revisionNotFound(id.hex) }
            return commit
        }
    }

    /// Questions sent at once: with names of 64 digits they stay below the 64 KiB of a pipe's buffer.
    private static let questionCount = 500

    private func readCommits(_ ids: [ObjectID], in repository: GitRepository) async throws -> [CommitObject] {
        let results = try await ask(ids.map { Array($0.hex.utf8) }, .contents, in: repository)
        var found: [(id: ObjectID, content: [UInt8])] = []
        for (id, result) in zip(ids, results) {
            guard case .found(let object) = result, object.info.kind == .commit else {
                throw await explain(.revisionNotFound(id.hex), in: repository)
            }
            found.append((id, object.content))
        }
        let contents = found
        return try await offLoop { try contents.map { try CommitObject(id: $0.id, content: $0.content) } }
    }

    /// The object at a path of a commit.
    ///
    /// - Throws: ``GitError/fileNotFound(path:)`` (also for submodules, whose objects live elsewhere),
    ///   ``GitError/notAFile(path:kind:)`` for a folder.
    func file(_ path: RepositoryPath, at commit: ObjectID, in repository: GitRepository) async throws -> ObjectInfo {
        guard case .found(let object) = try await info([Self.name(path.bytes[...], commit)], in: repository)[0] else {
            throw await explain(.fileNotFound(path: path.text), in: repository)
        }
        guard object.info.kind == .blob else { throw GitError.notAFile(path: path.text, kind: "directory") }
        return object.info
    }

    /// The content of a blob.
    ///
    /// - Throws: ``GitError/tooLarge(what:limit:knob:)`` above `maximumObjectByteCount`.
    func content(_ blob: ObjectInfo, in repository: GitRepository) async throws -> [UInt8] {
        guard blob.byteCount <= configuration.maximumObjectByteCount else {
            throw GitError.tooLarge(
                what: "the file", limit: configuration.maximumObjectByteCount, knob: "maximumObjectByteCount"
            )
        }
        return try await content(blob.id, in: repository)
    }

    /// The content of an object that is known to be there.
    ///
    /// - Throws: ``GitError/tooLarge(what:limit:knob:)`` above `maximumObjectByteCount`.
    func content(_ id: ObjectID, in repository: GitRepository) async throws -> [UInt8] {
        let results = try await ask([Array(id.hex.utf8)], .contents, in: repository)
        guard case .found(let object)? = results.first else {
            throw await explain(.revisionNotFound(id.hex), in: repository)
        }
        return object.content
    }

    /// `commit:path`; of the root with an empty path.
    static func name(_ path: ArraySlice<UInt8>, _ commit: ObjectID) -> [UInt8] {
        Array(commit.hex.utf8) + [UInt8(ascii: ":")] + path
    }

    func info(_ names: [[UInt8]], in repository: GitRepository) async throws -> [ObjectAnswers.Result] {
        try await ask(names, .info, in: repository)
    }

    /// - Parameter check: done first, where it may block.
    func ask(
        _ names: [[UInt8]],
        _ form: ObjectAnswers.Form,
        in repository: GitRepository,
        check: @Sendable () throws -> Void = {}
    ) async throws -> [ObjectAnswers.Result] {
        guard !names.isEmpty else { return [] }
        return try await offLoop {
            try check()
            do {
                return try await self.answers(names, form, in: repository)
            } catch GitError.corruptAnswer {
                // A process that was kept may have died while nobody used it; asking a new one again is safe.
                return try await self.answers(names, form, in: repository)
            }
        }
    }

    private func answers(
        _ names: [[UInt8]],
        _ form: ObjectAnswers.Form,
        in repository: GitRepository
    ) async throws -> [ObjectAnswers.Result] {
        let answers = ObjectAnswers(
            names: names, form: form, byteLimit: configuration.maximumObjectByteCount,
            totalByteLimit: configuration.maximumOutputByteCount
        )
        do {
            // A process that runs reads the list of lenders again when it misses an object.
            try repository.location.checkBorrowing()
            try repository.objectFolders.check()
            try await readers.ask(answers, in: repository)
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        return answers.results
    }
}
