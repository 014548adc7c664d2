extension Silo {
    /// The silo that a call goes to.
    ///
    /// - Parameter refresh: asks whoever knows for certain where organizations live.
    /// - Throws: ``SiloError/mappingNotFound(_:)``, ``SiloError/cellResolution(_:)``,
    ///   ``SiloError/validation(code:message:)`` for a request that names nothing; what looking up throws.
    func resolve(_ target: SiloTarget, refresh: Bool = false) async throws -> SiloAddress {
        try target.check()
        switch target {
        case .control: return .control
        case .organizationID(let id): return .cell(try await cell(of: .id(id), refresh))
        case .organizationSlug(let slug): return .cell(try await cell(of: .slug(slug), refresh))
        case .cellName(let name): return .cell(try directory.cell(named: name).name)
        case .singleOrganization: return .cell(try await singleCell())
        }
    }

    private func cell(of organization: OrganizationReference, _ refresh: Bool) async throws -> CellName {
        guard let organizations else { return directory.fallbackCell }
        let name =
            if refresh {
                try await organizations.refreshedCell(of: organization)
            } else {
                try await organizations.cell(of: organization)
            }
        guard let name else { throw SiloError.mappingNotFound("no cell has \(organization)") }
        return try directory.cell(named: name).name
    }

    private func singleCell() async throws -> CellName {
        guard directory.isSingleOrganization else {
            throw SiloError.cellResolution("the call needs the setting of a single organization, which is off")
        }
        let names = try await organizations?.someCells() ?? []
        switch names.count {
        case 0: return directory.fallbackCell
        case 1: return try directory.cell(named: names[0]).name
        default:
            throw SiloError.cellResolution(
                "there are organizations in \(names.joined(separator: " and ")); one was expected")
        }
    }
}
