import SiloRPC
import Storage

/// Where a test stands: the same body runs in all of them.
public enum SiloTopology: String, Sendable, CaseIterable {
    /// One process, everything local.
    case monolith
    /// Control, with two cells elsewhere.
    case control
    /// The first of two cells, with control elsewhere.
    case cell
}

/// One process of a topology: its silo, its own database, what it serves.
public struct SiloNode: Sendable {
    public let process: SiloProcess
    public var silo: Silo { process.silo }
    public var database: Database { process.database }
    /// nil for a monolith.
    public var address: SiloAddress? { process.silo.address }
}
