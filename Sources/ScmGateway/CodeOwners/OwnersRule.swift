/// An owner as a code owners file names it.
struct CodeOwnerName: Sendable, Hashable {
    enum Kind: Sendable, Hashable { case user, team, email, role }

    let kind: Kind
    /// Without a leading `@`.
    let name: String

    /// `@@role` where the dialect has roles, `@org/team`, `name@host.tld`; anything else is taken for a user.
    init(_ token: String, dialect: OwnersDialect) {
        if dialect.hasSections, token.hasPrefix("@@") {
            (kind, name) = (.role, String(token.dropFirst(2)))
            return
        }
        name = token.hasPrefix("@") ? String(token.dropFirst()) : token
        kind = token.contains("/") ? .team : !token.hasPrefix("@") && Self.isEmail(token) ? .email : .user
    }

    static func isEmail(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        guard parts.count == 2, let name = parts.first, let host = parts.last else { return false }
        return !name.isEmpty && host.contains(".") && !host.hasPrefix(".") && !host.hasSuffix(".")
    }
}

/// One rule, with what its section adds to it.
struct OwnersRule: Sendable, Hashable {
    /// Line in the file, from 1.
    var line: Int
    /// As first written; empty before the first section.
    var section = ""
    /// As written, escapes included.
    var pattern: String
    /// Empty: the paths have no owner.
    var owners: [CodeOwnerName]
    var isOptionalSection = false
    /// 0 when the section says none.
    var requiredApprovals = 0
    /// Takes paths out of the section for good.
    var isExclusion = false
}

/// A line that could not be used, and why.
struct OwnersProblem: Sendable, Hashable {
    static let maximumTextCount = 1000

    let line: Int
    let text: String
    let reason: String

    init(line: Int, text: some StringProtocol, reason: String) {
        self.line = line
        self.text = String(text.prefix(Self.maximumTextCount))
        self.reason = reason
    }
}
