/// Which cells and localities there are. A value, made once from the configuration.
public struct CellDirectory: Sendable, Hashable {
    /// In the order of the configuration, never empty.
    public let cells: [Cell]
    public let localities: [Locality]
    /// Name of the cell that a monolith is.
    public let fallbackCell: CellName
    /// Base URL of control; nil in a monolith.
    public let controlAddress: String?

    init(cells: [Cell], localities: [Locality], fallbackCell: CellName, controlAddress: String?) {
        self.cells = cells
        self.localities = localities
        self.fallbackCell = fallbackCell
        self.controlAddress = controlAddress
    }

    /// Base URL for calls to a silo; nil when the configuration has none.
    public func address(of silo: SiloAddress) -> String? {
        switch silo {
        case .control: controlAddress
        case .cell(let name): cells.first { $0.name == name }?.address
        }
    }
}
