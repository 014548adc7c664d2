/// What a key may do.
public enum Scope: String, Sendable, Hashable, CaseIterable {
    /// Methods that read.
    case read = "scm:read"
    /// Methods that change repositories, code mappings, code owners and status checks.
    case write = "scm:write"
    /// Methods that change issues.
    case issues = "scm:issues"
}
