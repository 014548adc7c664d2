import NIOCore
import SiloTestKit
import Synchronization
import Testing

@testable import SiloRPC

/// How many there are, and were at most.
private final class Gauge: Sendable {
    private let state = Mutex((now: 0, most: 0))
    var most: Int { state.withLock { $0.most } }
    func change(_ difference: Int) {
        state.withLock { state in
            state.now += difference
            state.most = max(state.most, state.now)
        }
    }
}

/// One question to every cell.
@Suite(.timeLimit(.minutes(5))) struct CellResultsTests {
    private func dispatches(_ node: SiloNode) throws -> [any SiloServiceDispatch] {
        node.silo.mode == .control ? [] : [NotesServiceDispatch(NotesStore(database: node.database), silo: node.silo)]
    }

    private func notes(_ node: SiloNode) throws -> NotesServiceDelegate {
        try NotesServiceDelegate(
            node.silo, local: node.silo.mode == .control ? nil : NotesStore(database: node.database))
    }

    @Test("every cell answers for itself; a monolith is its only cell", arguments: [SiloTopology.monolith, .control])
    func everyone(_ topology: SiloTopology) async throws {
        try await TestSilos.run(topology, migrations: NotesStore.migrations, services: dispatches) { silos in
            let notes = try notes(silos.here)
            for (slug, cell, count) in [("one", "us", 2), ("two", topology == .control ? "eu" : "us", 1)] {
                let id = try await silos.makeOrganization(slug, in: cell).organizationID
                for _ in 0..<count { _ = try await notes.put(note: Note(organizationID: id, text: "n"), labels: []) }
            }
            let results = try await silos.here.silo.onCells { cell in
                try await notes.count(cellName: cell.description, regionName: "")
            }
            #expect(results.isComplete)
            let counts = Dictionary(uniqueKeysWithValues: try results.complete().map { ($0.key.description, $0.value) })
            #expect(topology == .control ? counts == ["us": 2, "eu": 1] : counts["us"] == 3)
            #expect(results.outcomes.map(\.cell.description) == silos.here.silo.directory.cells.map(\.name.description))
        }
    }

    @Test("a cell that does not answer is a failure of its own, which nobody can overlook")
    func partial() async throws {
        try await TestSilos.run(.control, migrations: NotesStore.migrations, services: dispatches) { silos in
            let notes = try notes(silos.here)
            let (us, eu) = (try CellName("us"), try CellName("eu"))
            let results = try await silos.network.stopping(.cell(eu)) {
                try await silos.here.silo.onCells { try await notes.count(cellName: $0.description, regionName: "") }
            }
            #expect(!results.isComplete && results.values == [us: 0] && Set(results.failures.keys) == [eu])
            let error = #expect(throws: IncompleteCells.self) { try results.complete() }
            #expect(error?.description.hasPrefix("1 of 2 cells did not answer: eu: ") == true)
            #expect(try await silos.here.silo.onCells([us]) { $0.description }.complete() == [us: "us"])
            await #expect(throws: SiloError.self) {
                try await silos.here.silo.onCells([try CellName("mars")]) { $0.description }
            }
        }
    }

    @Test("all together have one deadline, and only so many are asked at a time")
    func limits() async throws {
        try await TestSilos.run(.control, migrations: NotesStore.migrations, services: dispatches) { silos in
            let silo = silos.here.silo
            let deadline = try await silo.onCells(within: .seconds(5)) { _ in SiloScope.current.deadline }.complete()
            #expect(Set(deadline.values).count == 1 && deadline.values.allSatisfy { $0 != nil })
            let soon = NIODeadline.now() + .milliseconds(5)
            let earlier = try await SiloScope.with({ $0.deadline = soon }) {
                try await silo.onCells(within: .seconds(5)) { _ in SiloScope.current.deadline }.complete()
            }
            #expect(Set(earlier.values) == [soon])
            let gauge = Gauge()
            _ = try await silo.onCells(maximumConcurrentCalls: 1) { _ in
                gauge.change(1)
                await Task.yield()
                gauge.change(-1)
            }
            #expect(gauge.most == 1)
        }
    }

    @Test("a cell asks no others")
    func fromCell() async throws {
        try await TestSilos.run(.cell) { silos in
            await #expect(throws: SiloError.self) { try await silos.here.silo.onCells { $0.description } }
        }
    }
}
