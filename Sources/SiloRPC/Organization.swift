/// A customer: the owner of repositories, keys and everything else.
public struct Organization: Sendable, Hashable {
    /// Positive.
    public let id: Int64
    /// Unique name, see ``OrganizationStore/create(slug:)``.
    public let slug: String
    /// Milliseconds since 1970 UTC.
    public let createdAt: Int64

    public init(id: Int64, slug: String, createdAt: Int64) {
        self.id = id
        self.slug = slug
        self.createdAt = createdAt
    }
}
