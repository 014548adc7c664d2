import Synchronization

/// Cells and localities as they are known now: a ``CellDirectory``, which stays as it is, or a ``LiveDirectory``.
public protocol CellDirectorySource: Sendable {
    var current: CellDirectory { get }
    /// ``CellDirectory/address(of:)`` of ``current``, which is not copied.
    func address(of silo: SiloAddress) -> String?
}

extension CellDirectory: CellDirectorySource {
    public var current: CellDirectory { self }
}

/// The directory of a running process: its configuration may change.
public final class LiveDirectory: CellDirectorySource {
    /// What one reading has changed.
    public struct Change: Sendable, Hashable {
        public var added: [CellName] = []
        public var removed: [CellName] = []
        /// Silos that are called elsewhere now.
        public var readdressed: [SiloAddress] = []
        /// Localities, visibility, fallback cell, public URL, whether there is a single organization.
        public var isOtherwiseChanged = false

        public var isEmpty: Bool { self == Change() }
    }

    private let directory: Mutex<CellDirectory>

    public init(_ directory: CellDirectory) {
        self.directory = Mutex(directory)
    }

    public var current: CellDirectory { directory.withLock { $0 } }

    public func address(of silo: SiloAddress) -> String? { directory.withLock { $0.address(of: silo) } }

    /// What replacing would change.
    ///
    /// - Parameter own: the silo that this process is.
    /// - Throws: ``SiloError/configuration(_:)`` when the new directory has no place for it.
    public func change(to new: CellDirectory, at own: SiloAddress) throws(SiloError) -> Change {
        let old = current
        if case .cell(let name) = own, !new.cells.contains(where: { $0.name == name }) {
            throw .configuration("cells: \(name) is this process, and is not there any more")
        }
        if own != .control, new.controlAddress == nil { throw .configuration("controlAddress: it is gone") }
        var change = Change()
        let (before, after) = (Set(old.cells.map(\.name)), Set(new.cells.map(\.name)))
        change.added = new.cells.map(\.name).filter { !before.contains($0) }
        change.removed = old.cells.map(\.name).filter { !after.contains($0) }
        if old.controlAddress != new.controlAddress { change.readdressed.append(.control) }
        for cell in new.cells {
            guard let known = old.cells.first(where: { $0.name == cell.name }) else { continue }
            if known.address != cell.address || known.gatewayAddress != cell.gatewayAddress {
                change.readdressed.append(.cell(cell.name))
            }
        }
        change.isOtherwiseChanged = change.isEmpty && old != new
        return change
    }

    /// From now on; calls in progress go on to where they went.
    public func replace(_ new: CellDirectory) { directory.withLock { $0 = new } }
}
