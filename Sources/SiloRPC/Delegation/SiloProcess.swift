import Storage

/// The parts of a process that is a silo, put together by its mode.
public struct SiloProcess: Sendable {
    public let silo: Silo
    public let database: Database
    /// Control's table; nil in a cell.
    public let mapping: OrganizationMappingStore?
    /// A cell's replica of it; nil elsewhere.
    public let replica: OrganizationReplica?
    /// A cell's replica of its organizations' API keys; nil elsewhere.
    public let keys: APIKeyReplica?
    /// Asks control at once for what a cell's replicas lack; nil elsewhere.
    public let demand: ReplicaDemand?

    /// - Parameters:
    ///   - cell: which one it is, in mode cell.
    ///   - database: this silo's own.
    ///   - caller: the way to the others; nil in a monolith.
    ///   - demandLimits: how a cell asks control for what its replicas lack.
    /// - Throws: as ``Silo/init(mode:cell:directory:organizations:caller:inbound:options:)``.
    public init(
        mode: SiloMode, cell: CellName? = nil, directory: any CellDirectorySource, database: Database,
        caller: SiloCaller? = nil,
        inbound: (any SiloInboundPolicy)? = nil, options: Silo.Options = Silo.Options(),
        lifetimes: OrganizationCellCache.Lifetimes = OrganizationCellCache.Lifetimes(),
        demandLimits: ReplicaDemand.Limits = ReplicaDemand.Limits()
    ) throws(SiloError) {
        self.database = database
        mapping = mode == .cell ? nil : OrganizationMappingStore(database, directory: directory)
        if mode == .cell, let cell, let caller {
            let organizations = OrganizationReplica(
                database, directory: directory, cell: cell, caller: caller, limits: demandLimits)
            let keys = APIKeyReplica(database, directory: directory, cell: cell, caller: caller)
            (replica, self.keys) = (organizations, keys)
            demand = ReplicaDemand(limits: demandLimits) {
                try await organizations.pullAnew()
                // Keys refer to organizations.
                try await keys.pullAnew()
            }
        } else {
            (replica, keys, demand) = (nil, nil, nil)
        }
        let source: (any OrganizationCells)? = if let replica { replica } else { mapping }
        let cache = mode == .monolith ? nil : source.map { OrganizationCellCache($0, lifetimes: lifetimes) }
        replica?.observe { [weak cache] in cache?.forget($0) }
        silo = try Silo(
            mode: mode, cell: cell, directory: directory, organizations: cache,
            caller: caller, inbound: inbound, options: options
        )
    }

    // MARK: - Replicas

    /// To be called once before the process serves: control gives organizations of before there were cells their rows.
    /// A cell tries to bring its replicas up to date, and starts with what it has while control is down.
    ///
    /// - Throws: `StorageError`.
    public func prepare() async throws {
        if silo.mode == .control {
            try await database.beginSiloEpoch()
            try await mapping?.adoptOrganizations()
        }
        try? await replicate()
    }

    /// Brings a cell's replicas up to date; nothing elsewhere.
    public func replicate() async throws {
        try await replica?.pull()
        try await keys?.pull()
    }

    /// Replicates every `interval` until the task is cancelled; what goes wrong is told to `failed` and tried again.
    public func keepReplicating(
        every interval: Duration = .seconds(2), failed: @Sendable (any Error) -> Void = { _ in }
    ) async {
        var isChecked = false
        while !Task.isCancelled, let replica {
            do {
                let count = try await replica.pull()
                try await keys?.pull()
                if count > 0 || !isChecked {
                    isChecked = true
                    try await replica.checkOwners()
                }
            } catch { failed(error) }
            try? await Task.sleep(for: interval)
        }
    }

    // MARK: - Services of this module

    private var integrationStore: IntegrationStore? { mapping == nil ? nil : IntegrationStore(database) }

    /// Where organizations live, from any silo.
    public func organizationMapping() throws(SiloError) -> OrganizationMappingServiceDelegate {
        try OrganizationMappingServiceDelegate(silo, local: mapping)
    }

    public func integrations() throws(SiloError) -> IntegrationServiceDelegate {
        try IntegrationServiceDelegate(silo, local: integrationStore)
    }

    public func installations() throws(SiloError) -> InstallationServiceDelegate {
        try InstallationServiceDelegate(silo, local: integrationStore)
    }

    /// The services of this module that this process serves to other silos.
    public var dispatches: [any SiloServiceDispatch] {
        guard let mapping, let integrationStore else { return [] }
        return [
            OrganizationMappingServiceDispatch(mapping, silo: silo),
            APIKeyFeedServiceDispatch(APIKeyFeed(database), silo: silo),
            IntegrationServiceDispatch(integrationStore, silo: silo),
            InstallationServiceDispatch(integrationStore, silo: silo),
        ]
    }
}
