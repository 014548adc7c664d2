/// A branch or a tag.
struct GitReference: Hashable, Sendable {
    /// Without its folder; bytes that are not UTF-8 are U+FFFD.
    var name: String
    /// What it names: a commit, for a tag any object.
    var id: ObjectID
    /// Seconds since 1970 UTC: the commit's, an annotated tag's own; 0 when not asked for or not known.
    var seconds: Int64 = 0
}

extension GitEngine {
    /// All references of a folder, in no promised order.
    ///
    /// - Parameter withTimes: makes git read the objects.
    /// - Throws: ``GitError``.
    func references(
        below folder: ReferenceFolder, withTimes: Bool, in repository: GitRepository
    ) async throws -> [GitReference] {
        let time = withTimes ? "%(creatordate:unix)" : ""
        let command = GitCommand(.forEachRef)
            .flag(.format, "%(objectname) \(time)%00%(refname)").references(below: folder)
        let output: [UInt8]
        do {
            try await offLoop { try SpecialFiles(repository.location).checkReferences() }
            output = try await runner.output(of: command, in: repository)
        } catch let error as GitError {
            throw await explain(error, in: repository)
        }
        return try await offLoop {
            // A reference's name holds no control character.
            try output.split(separator: UInt8(ascii: "\n")).map { line throws(GitError) in
                try GitReference(line, folder: folder)
            }
        }
    }

    /// Where HEAD points to: `refs/heads/main`; nil when it is detached or cannot be read.
    func headReference(in repository: GitRepository) async throws -> String? {
        let target = try await offLoop { HeadFiles(repository.location)?.target }
        return target.flatMap { $0.hasPrefix("refs/") ? $0 : nil }
    }

    /// The objects that names lead to, in the order of the names; nil for what leads nowhere.
    ///
    /// - Throws: ``GitError/ambiguousRevision(_:)``.
    func objects(_ names: [String], in repository: GitRepository) async throws -> [ObjectInfo?] {
        var found: [ObjectInfo?] = []
        for start in stride(from: 0, to: names.count, by: 50) {
            let part = names[start..<min(start + 50, names.count)]
            let results = try await ask(part.map { Array($0.utf8) }, .info, in: repository) {
                for name in part where name.hasPrefix("refs/") {
                    try SpecialFiles(repository.location).checkName(name)
                }
            }
            for (name, result) in zip(part, results) {
                switch result {
                case .found(let object): found.append(object.info)
                case .missing: found.append(nil)
                case .ambiguous: throw GitError.ambiguousRevision(name)
                }
            }
        }
        return found
    }

    /// The content of tag objects, in the order of the ids.
    ///
    /// - Throws: ``GitError``.
    func tags(_ ids: [ObjectID], in repository: GitRepository) async throws -> [TagObject] {
        var tags: [TagObject] = []
        for id in ids {
            tags.append(TagObject(content: try await content(id, in: repository)))
        }
        return tags
    }
}

extension GitReference {
    /// Reads `id SP seconds NUL name`.
    fileprivate init(_ line: ArraySlice<UInt8>, folder: ReferenceFolder) throws(GitError) {
        let fields = line.split(separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
        let words = fields[0].split(separator: UInt8(ascii: " "))
        guard fields.count == 2, let word = words.first, let id = ObjectID(bytes: word),
            fields[1].starts(with: folder.rawValue.utf8)
        else { throw GitError.corruptAnswer("for-each-ref printed no reference") }
        self.init(
            name: String(decoding: fields[1].dropFirst(folder.rawValue.utf8.count), as: UTF8.self), id: id,
            seconds: words.count > 1 ? decimal(words[1]) ?? 0 : 0
        )
    }
}
