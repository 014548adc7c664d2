import Foundation
import RPC
import SiloRPC
import Storage

/// The silos of one test: a monolith, or control and the cells `us` and `eu`. Each has its own database, and everything
/// between them, and within, goes through encoding and decoding.
public struct TestSilos: Sendable {
    /// Names of the cells, also the localities'.
    public static let cellNames = ["us", "eu"]

    public let topology: SiloTopology
    public let network: InMemoryNetwork
    /// Where the test stands.
    public let here: SiloNode
    /// By address; empty in a monolith.
    public let nodes: [SiloAddress: SiloNode]

    /// Builds the silos, runs `body`, and removes them.
    ///
    /// - Parameters:
    ///   - migrations: of modules besides SiloRPC that have tables.
    ///   - singleOrganization: the setting of that name.
    ///   - services: what a node serves, besides the services of SiloRPC. Called for every node; a service belongs
    ///     where
    ///     ``serves(_:)`` says.
    ///   - body: the test, the same for every topology.
    public static func run(
        _ topology: SiloTopology, migrations: [Migration] = [], singleOrganization: Bool = false,
        services: (SiloNode) throws -> [any SiloServiceDispatch] = { _ in [] },
        _ body: (TestSilos) async throws -> Void
    ) async throws {
        let folder = NSTemporaryDirectory() + "/silos-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let silos = try TestSilos(topology, folder, migrations, singleOrganization, services)
        try await body(silos)
    }

    private init(
        _ topology: SiloTopology, _ folder: String, _ migrations: [Migration], _ singleOrganization: Bool,
        _ services: (SiloNode) throws -> [any SiloServiceDispatch]
    ) throws {
        let cells = try Self.cellNames.map { SiloAddress.cell(try CellName($0)) }
        let network = try InMemoryNetwork(cells: cells)
        var configuration = try SiloConfiguration(json: Self.configuration)
        configuration.singleOrganization = singleOrganization
        let directory = try CellDirectory(configuration)
        func node(_ mode: SiloMode, _ address: SiloAddress?) throws -> SiloNode {
            let name = address.map { "\($0)" } ?? "monolith"
            let path = folder + "/" + name.split(separator: ":").joined(separator: "-") + ".sqlite"
            let cell: CellName? = if case .cell(let name)? = address { name } else { nil }
            var lifetimes = OrganizationCellCache.Lifetimes()
            // A test that makes an organization wants it to be there.
            lifetimes.unknown = .zero
            // On a busy machine a pull may take its time; a test waits for it.
            var demandLimits = ReplicaDemand.Limits()
            demandLimits.patience = .seconds(60)
            let database = try Database.open(path: path, migrations: SiloSchema.migrations + migrations)
            var policy = SiloCallPolicy()
            policy.initialBackoff = .milliseconds(1)
            let caller = try address.map { address in
                SiloCaller(transport: try network.transport(from: address), policy: policy, switches: network.switches)
            }
            return SiloNode(
                process: try SiloProcess(
                    mode: mode, cell: cell, directory: directory, database: database, caller: caller,
                    inbound: SiloInbound(switches: network.switches, answers: StoredAnswers(database)),
                    options: Silo.Options(roundTrip: true), lifetimes: lifetimes, demandLimits: demandLimits
                ))
        }
        self.topology = topology
        self.network = network
        guard topology != .monolith else {
            here = try node(.monolith, nil)
            nodes = [:]
            return
        }
        var nodes: [SiloAddress: SiloNode] = [.control: try node(.control, .control)]
        for address in cells { nodes[address] = try node(.cell, address) }
        for (address, node) in nodes {
            try network.open(address, try SiloServices(node.process.dispatches + (try services(node))))
        }
        self.nodes = nodes
        here = try Self.node(nodes, topology == .control ? .control : cells[0])
    }

    private static let configuration = """
        {"controlAddress": "memory://control", "publicUrl": "https://{locality}.example", "fallbackCell": "us",
         "cells": [{"name": "us", "snowflakeId": 1, "address": "memory://us"},
                   {"name": "eu", "snowflakeId": 2, "address": "memory://eu"}]}
        """

    private static func node(_ nodes: [SiloAddress: SiloNode], _ address: SiloAddress) throws -> SiloNode {
        guard let node = nodes[address] else { throw SiloError.cellResolution("the test has no silo \(address)") }
        return node
    }

    // MARK: - Silos

    /// The silo of an address; the monolith for all of them.
    public func node(_ address: SiloAddress) throws -> SiloNode {
        topology == .monolith ? here : try Self.node(nodes, address)
    }

    /// Control, or the monolith.
    public func control() throws -> SiloNode { try node(.control) }

    /// A cell, or the monolith.
    public func cell(_ name: String) throws -> SiloNode { try node(.cell(try CellName(name))) }

    /// Runs `body` as another silo would, whatever the topology: for the parts of a test that look at rows.
    public func assuming<R>(_ address: SiloAddress, _ body: (SiloNode) async throws -> R) async throws -> R {
        try await body(try node(address))
    }

    // MARK: - Organizations

    /// Makes an organization in a cell, as control does, and brings every cell's replica up to date.
    public func makeOrganization(_ slug: String, in cell: String = "us") async throws -> OrganizationMapping {
        guard let mapping = try control().process.mapping else {
            throw SiloError.configuration("the test has no control")
        }
        let made = try await mapping.create(slug: slug, cellName: cell)
        try await replicate()
        return made
    }

    /// Brings every cell's replica up to date.
    public func replicate() async throws {
        for node in nodes.values { try await node.process.replicate() }
    }
}
