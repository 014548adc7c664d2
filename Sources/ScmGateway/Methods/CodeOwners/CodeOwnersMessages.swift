import FrameCodec
import RPC
import ScmAPI

extension OwnersDialect {
    /// nil for UNSPECIFIED.
    ///
    /// - Throws: INVALID_ARGUMENT for a dialect of a later version.
    init?(_ dialect: CodeOwnersDialect) throws(RPCError) {
        switch dialect {
        case .unspecified: return nil
        case .github: self = .github
        case .gitlab: self = .gitlab
        case .bitbucket: self = .bitbucket
        default: throw RPCError.badField("dialect", "there is no dialect \(dialect.rawValue)")
        }
    }

    var message: CodeOwnersDialect {
        switch name {
        case .github: .github
        case .gitlab: .gitlab
        case .bitbucket: .bitbucket
        }
    }

    /// Of a stored number; one of a later version is read like GitHub's.
    init(stored number: Int64) {
        switch Int32(clamping: number) {
        case CodeOwnersDialect.gitlab.rawValue: self = .gitlab
        case CodeOwnersDialect.bitbucket.rawValue: self = .bitbucket
        default: self = .github
        }
    }
}

extension CodeOwner {
    init(_ owner: CodeOwnerName) {
        let kind: OwnerKind =
            switch owner.kind {
            case .user: .user
            case .team: .team
            case .email: .email
            case .role: .role
            }
        self.init(kind: kind, name: owner.name)
    }
}

extension CodeOwnersRule {
    init(_ rule: OwnersRule) {
        self.init(
            line: Int32(clamping: rule.line), section: rule.section, pattern: rule.pattern,
            owners: rule.owners.map(CodeOwner.init), optionalSection: rule.isOptionalSection,
            requiredApprovals: Int32(clamping: rule.requiredApprovals), exclusion: rule.isExclusion
        )
    }
}

extension CodeOwnersProblem {
    init(_ problem: OwnersProblem) {
        self.init(line: Int32(clamping: problem.line), text: problem.text, reason: problem.reason)
    }
}

extension CodeOwners {
    /// Without rules and text.
    init(_ stored: StoredCodeOwners) {
        self.init(
            id: stored.id, organizationID: stored.mapping.organizationID, codeMappingID: stored.mapping.id,
            repositoryID: stored.mapping.repositoryID, dialect: OwnersDialect(stored: stored.dialect).message,
            dateAdded: .init(millisecondsSinceEpoch: stored.createdAt),
            dateUpdated: .init(millisecondsSinceEpoch: stored.updatedAt)
        )
    }

    /// With everything that its text says.
    init(_ stored: StoredCodeOwners, _ file: OwnersFile) {
        self.init(stored)
        raw = stored.raw
        rules = file.rules.map(CodeOwnersRule.init)
        problems = file.problems.map(CodeOwnersProblem.init)
        ownershipRules = file.rules.compactMap { rule in
            OwnershipText.line(
                rule, stackRoot: stored.mapping.roots.stack, sourceRoot: stored.mapping.roots.source, identity: \.name
            )
        }.joined(separator: "\n")
    }
}
