/// What a key may do.
public enum Scope: String, Sendable, Hashable, CaseIterable {
    /// Methods that read.
    case read = "scm:read"
    /// Methods that change repositories, code mappings, code owners and status checks.
    case write = "scm:write"
    /// Methods that change issues.
    case issues = "scm:issues"
    /// Reflection and administration of the server itself, across organizations. Never given unless named.
    case admin = "scm:admin"

    /// What a key may do when nothing else is said: everything but ``admin``.
    public static let usual: Set<Scope> = [.read, .write, .issues]
}
