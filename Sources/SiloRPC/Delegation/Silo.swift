/// What a delegate needs to know: who this process is, where others are, how they are called.
public struct Silo: Sendable {
    /// How delegates behave.
    public struct Options: Sendable {
        /// Sends every call through encoding and decoding, even a direct one, so that a test finds what a remote call
        /// would find.
        public var roundTrip: Bool

        public init(roundTrip: Bool = false) {
            self.roundTrip = roundTrip
        }
    }

    public let mode: SiloMode
    /// The cell that this process is: in a monolith the fallback cell, in control nil.
    public let cell: CellName?
    private let directories: any CellDirectorySource
    /// Cells and localities as they are now.
    public var directory: CellDirectory { directories.current }
    /// Where organizations live; nil in a monolith, where that is clear.
    public let organizations: (any OrganizationCells)?
    /// nil in a monolith, which calls nobody.
    public let caller: SiloCaller?
    /// What every arriving call passes; nil lets all in.
    public let inbound: (any SiloInboundPolicy)?
    public let options: Options

    /// - Throws: ``SiloError/configuration(_:)``: a cell without a name, or with one that the directory does not have;
    ///   no caller or no organizations outside a monolith.
    public init(
        mode: SiloMode, cell: CellName? = nil, directory: any CellDirectorySource,
        organizations: (any OrganizationCells)? = nil,
        caller: SiloCaller? = nil, inbound: (any SiloInboundPolicy)? = nil, options: Options = Options()
    ) throws(SiloError) {
        let current = directory.current
        switch mode {
        case .monolith: self.cell = current.fallbackCell
        case .control: self.cell = nil
        case .cell:
            guard let cell else { throw .configuration("mode cell needs the name of the cell") }
            try current.checkPlace(of: .cell(cell))
            self.cell = cell
        }
        if mode != .monolith, caller == nil || organizations == nil {
            throw .configuration(
                "mode \(mode.rawValue) needs a transport to the other silos, and to know the organizations")
        }
        self.mode = mode
        directories = directory
        self.organizations = organizations
        self.caller = caller
        self.inbound = inbound
        self.options = options
    }

    /// A cell that only calls control.
    init(calling caller: SiloCaller, from cell: CellName, _ directory: any CellDirectorySource) {
        (mode, self.cell, directories, self.caller) = (.cell, cell, directory, caller)
        (organizations, inbound, options) = (nil, nil, Options())
    }

    /// Who this process is for others; nil for a monolith, which has no others.
    public var address: SiloAddress? {
        switch mode {
        case .monolith: nil
        case .control: .control
        case .cell: cell.map { .cell($0) }
        }
    }

    /// Whether rows of such a home are in this process.
    func isHome(_ home: SiloHome) -> Bool {
        switch mode {
        case .monolith: true
        case .control: home == .control
        case .cell: home == .cell
        }
    }

    /// The name of the cell that this process is.
    ///
    /// - Throws: ``SiloError/cellContext(_:)`` in control.
    public func localCell() throws(SiloError) -> CellName {
        guard let cell else { throw .cellContext("control has no local cell") }
        return cell
    }
}
