import Storage

/// The parts of a process that is a silo, put together by its mode.
public struct SiloProcess: Sendable {
    public let silo: Silo
    public let database: Database
    /// Control's table; nil in a cell.
    public let mapping: OrganizationMappingStore?
    /// A cell's replica of it; nil elsewhere. Somebody must call its `run`.
    public let replica: OrganizationReplica?

    /// - Parameters:
    ///   - cell: which one it is, in mode cell.
    ///   - database: this silo's own.
    ///   - caller: the way to the others; nil in a monolith.
    /// - Throws: as ``Silo/init(mode:cell:directory:organizations:caller:inbound:options:)``.
    public init(
        mode: SiloMode, cell: CellName? = nil, directory: CellDirectory, database: Database, caller: SiloCaller? = nil,
        inbound: (any SiloInboundPolicy)? = nil, options: Silo.Options = Silo.Options(),
        lifetimes: OrganizationCellCache.Lifetimes = OrganizationCellCache.Lifetimes()
    ) throws(SiloError) {
        self.database = database
        mapping = mode == .cell ? nil : OrganizationMappingStore(database, directory: directory)
        if mode == .cell, let cell, let caller {
            replica = OrganizationReplica(database, directory: directory, cell: cell, caller: caller)
        } else {
            replica = nil
        }
        let source: (any OrganizationCells)? = if let replica { replica } else { mapping }
        let cache = mode == .monolith ? nil : source.map { OrganizationCellCache($0, lifetimes: lifetimes) }
        replica?.observe { [weak cache] in cache?.forget($0) }
        silo = try Silo(
            mode: mode, cell: cell, directory: directory, organizations: cache,
            caller: caller, inbound: inbound, options: options
        )
    }

    /// Where organizations live, from any silo.
    public func organizationMapping() throws(SiloError) -> OrganizationMappingServiceDelegate {
        try OrganizationMappingServiceDelegate(silo, local: mapping)
    }

    /// The services of this module that this process serves to other silos.
    public var dispatches: [any SiloServiceDispatch] {
        mapping.map { [OrganizationMappingServiceDispatch($0, silo: silo)] } ?? []
    }
}
