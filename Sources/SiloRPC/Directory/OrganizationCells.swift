/// Says in which cell an organization lives: control from its table, a cell from its replica of that table.
public protocol OrganizationCells: Sendable {
    /// - Returns: the cell's name as stored, nil when no row maps the organization.
    func cell(of organization: OrganizationReference) async throws -> String?

    /// Asks whoever knows for certain, because an answer of ``cell(of:)`` turned out to be wrong or was nil.
    func refreshedCell(of organization: OrganizationReference) async throws -> String?

    /// The distinct cells that have organizations, at most two of them.
    func someCells() async throws -> [String]
}

/// How callers name an organization.
public enum OrganizationReference: Sendable, Hashable, CustomStringConvertible {
    case id(Int64)
    case slug(String)

    public var description: String {
        switch self {
        case .id(let id): "organization \(id)"
        case .slug(let slug): "organization \"\(slug)\""
        }
    }
}
