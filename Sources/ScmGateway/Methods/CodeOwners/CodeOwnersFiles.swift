import RPC
import ScmAPI
import SiloRPC

/// A code owners file as a repository has it.
struct FoundOwnersFile: Sendable {
    let path: String
    let text: String
    let object: ObjectID
    let commit: ObjectID
    let dialect: OwnersDialect
}

extension ScmGatewayService {
    /// The first file that exists: of the dialect's places, or of all places, whose folder then tells the dialect.
    ///
    /// - Throws: NOT_FOUND (CODE_OWNERS_NOT_FOUND), FAILED_PRECONDITION (LIMIT_REACHED) for a text that is too long.
    func ownersFile(
        in repository: any SourceRepository, at revision: Revision?, dialect: OwnersDialect?
    ) async throws -> FoundOwnersFile {
        let commit = try await repository.resolve(revision)
        for (path, dialect) in Self.places(dialect) {
            do {
                let (bytes, object) = try await repository.content(try RepositoryPath(path), at: commit)
                return FoundOwnersFile(
                    path: path, text: try Self.ownersText(bytes), object: object, commit: commit, dialect: dialect
                )
            } catch GitError.fileNotFound, GitError.notAFile {
                continue
            }
        }
        throw RPCError(.notFound, .codeOwnersNotFound, "the repository has no code owners file")
    }

    private static func places(_ dialect: OwnersDialect?) -> [(String, OwnersDialect)] {
        if let dialect { return dialect.locations.map { ($0, dialect) } }
        return [
            (".github/CODEOWNERS", .github), (".gitlab/CODEOWNERS", .gitlab), (".bitbucket/CODEOWNERS", .bitbucket),
            ("CODEOWNERS", .github), ("docs/CODEOWNERS", .github),
        ]
    }

    private static func ownersText(_ bytes: [UInt8]) throws -> String {
        let text = String(decoding: bytes.filter { $0 != 0 }, as: UTF8.self)
        try checkOwnersText(text)
        return text
    }

    static func checkOwnersText(_ text: String) throws(RPCError) {
        // Characters are never more than bytes.
        guard text.utf8.count <= OwnersFile.maximumCharacterCount || text.count <= OwnersFile.maximumCharacterCount
        else {
            throw RPCError(
                .failedPrecondition, .limitReached,
                "a code owners file has at most \(OwnersFile.maximumCharacterCount) characters"
            )
        }
    }

    public func getCodeOwnersFile(
        _ request: GetCodeOwnersFileRequest, context: CallContext
    ) async throws -> CodeOwnersFile {
        let dialect = try OwnersDialect(request.dialect)
        return try await reading(
            context, organizationID: request.organizationID, repositoryID: request.repositoryID, fields: GitFields()
        ) { row, repository in
            let revision = request.ref.isEmpty ? nil : try Revision(request.ref)
            let found = try await self.ownersFile(in: repository, at: revision, dialect: dialect)
            try context.answering(version: found.object)
            var answer = CodeOwnersFile(
                filepath: found.path, webURL: row.page(found.path, at: found.commit.hex, line: 0), raw: found.text,
                sha: found.object.hex, commitSHA: found.commit.hex, dialect: found.dialect.message
            )
            guard request.includeRules else { return answer }
            let file = try await offLoop { OwnersFile(found.text, dialect: found.dialect) }
            answer.rules = file.rules.map(CodeOwnersRule.init)
            answer.problems = file.problems.map(CodeOwnersProblem.init)
            return answer
        }
    }
}
