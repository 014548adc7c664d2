/// Which cells and localities there are. A value, made once from the configuration.
///
/// Cell, locality and fallback are different things: a cell is a deployment, a locality is what customers see of a
/// group of cells, and the fallback is the cell that a monolith is.
public struct CellDirectory: Sendable, Hashable {
    /// In the order of the configuration, never empty.
    public let cells: [Cell]
    /// In the order of the configuration, never empty: every cell is in exactly one.
    public let localities: [Locality]
    /// Name of the cell that a monolith is, and that holds organizations of before there were cells.
    public let fallbackCell: CellName
    /// Base URL of control; nil in a monolith.
    public let controlAddress: String?
    /// Base URL of a monolith and of control, `{locality}` in it stands for a locality's name; nil when nobody asks.
    public let publicURL: String?
    /// Whether there is only one organization, which ``SiloTarget/singleOrganization`` needs.
    public let isSingleOrganization: Bool

    /// - Throws: ``SiloError/configuration(_:)``: see ``validate()``.
    public init(
        cells: [Cell], localities: [Locality] = [], fallbackCell: CellName, controlAddress: String? = nil,
        publicURL: String? = nil, isSingleOrganization: Bool = false
    ) throws(SiloError) {
        self.cells = cells.isEmpty ? [Cell(name: fallbackCell, address: publicURL ?? "")] : cells
        self.localities = localities.isEmpty
            ? self.cells.map { Locality(name: $0.name.description, cells: [$0.name], newOrganizationCell: $0.name) }
            : localities
        self.fallbackCell = fallbackCell
        self.controlAddress = controlAddress
        self.publicURL = publicURL
        self.isSingleOrganization = isSingleOrganization
        try validate()
    }

    /// Base URL for calls to a silo; nil when the configuration has none.
    public func address(of silo: SiloAddress) -> String? {
        switch silo {
        case .control: controlAddress
        case .cell(let name): cells.first { $0.name == name }?.address
        }
    }

    // MARK: - Lookups

    /// - Throws: ``SiloError/cellResolution(_:)`` that lists the names there are.
    public func cell(named name: String) throws(SiloError) -> Cell {
        guard let cell = cells.first(where: { $0.name.description == name }) else {
            throw .cellResolution(
                "there is no cell \"\(name.prefix(64))\"; there are \(Self.list(multiTenantCellNames))")
        }
        return cell
    }

    /// - Throws: ``SiloError/cellResolution(_:)`` that lists the names there are.
    public func locality(named name: String) throws(SiloError) -> Locality {
        guard let locality = localities.first(where: { $0.name == name }) else {
            let names = localities.filter(\.isVisible).map(\.name)
            throw .cellResolution("there is no locality \"\(name.prefix(64))\"; there are \(Self.list(names))")
        }
        return locality
    }

    /// - Throws: ``SiloError/cellResolution(_:)``.
    public func locality(of cell: CellName) throws(SiloError) -> Locality {
        guard let locality = localities.first(where: { $0.cells.contains(cell) }) else {
            throw .cellResolution("no locality has the cell \"\(cell)\"")
        }
        return locality
    }

    /// Where a locality's new organizations are made.
    public func newOrganizationCell(locality name: String) throws(SiloError) -> Cell {
        try cell(named: locality(named: name).newOrganizationCell.description)
    }

    /// True only for the name of a locality: such a subdomain is never an organization's slug.
    public func isLocality(subdomain: String) -> Bool { localities.contains { $0.name == subdomain } }

    /// Whether it is the cell of before there were cells.
    public func isFallback(_ cell: CellName) -> Bool { cell == fallbackCell }

    /// Every cell's name, or only those that are not hidden.
    public func cellNames(visibleOnly: Bool = false) -> [CellName] {
        cells.filter { $0.isVisible || !visibleOnly }.map(\.name)
    }

    /// Names of cells that many customers share.
    public var multiTenantCellNames: [String] {
        localities.filter { $0.category == .multiTenant }.flatMap(\.cells).map(\.description).sorted()
    }

    /// Names of localities that customers may choose from when they sign up.
    public var signUpLocalityNames: [String] { localities.filter(\.isSignUpVisible).map(\.name) }

    /// Names of localities that are listed, of one category or of all.
    public func localityNames(category: Locality.Category? = nil) -> [String] {
        localities.filter { $0.isVisible && (category == nil || $0.category == category) }.map(\.name)
    }

    /// The public URL of a path: on the host of the cell's locality, or on the application's in a monolith (nil).
    ///
    /// - Throws: ``SiloError/cellResolution(_:)``, ``SiloError/configuration(_:)`` without a public URL.
    public func url(path: String, cell: CellName?) throws(SiloError) -> String {
        guard let publicURL else { throw .configuration("publicUrl is not set, so no public URL can be made") }
        let locality = try cell.map { cell throws(SiloError) in try self.locality(of: cell).name } ?? "www"
        return publicURL.split(separator: "{locality}", omittingEmptySubsequences: false).joined(separator: locality)
            + path
    }

    private static func list(_ names: [String]) -> String { names.isEmpty ? "none" : names.joined(separator: ", ") }
}
