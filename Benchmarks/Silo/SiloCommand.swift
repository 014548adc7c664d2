import ArgumentParser
import Foundation
import SiloRPC

/// One call of a silo service in every form, in one run.
struct SiloCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "silo",
        abstract: "A call of a silo service: local, encoded, remote and signed; plain echo and JSON beside it.",
        discussion: """
            Client and server are this process, over loopback; CPU time is of both. The JSON form is the same call \
            as a team would write it without this package's messages: HTTP/1.1, {"meta":{},"args":{}}, Foundation's \
            coders, HMAC-SHA256 over path and body (rpc0), with the same client, server and policy. Below it the \
            same with this package's JSON codec.
            """
    )

    @Option(help: "Remote calls in each measurement.")
    var calls = 20_000

    @Option(help: "Remote calls at a time.")
    var concurrency = 64

    @Option(help: "Measurements of each form, in turns; the median counts, of ratios and overheads too.")
    var rounds = 11

    @Option(help: "Run only remote forms whose name contains this text.")
    var filter: String?

    @Option(help: "Run only questions whose name contains this text.")
    var question: String?

    func run() async throws {
        try BenchmarksCommand.refuseDebugBuild()
        if filter == nil, question == nil { try await local() }
        let world = try await SiloWorld.start()
        let questions = world.questions.filter { known in question.map { known.name.contains($0) } ?? true }
        if questions.isEmpty { throw ValidationError("no question's name contains \"\(question ?? "")\"") }
        for question in questions { try await remote(question) }
        await world.stop()
    }

    private func remote(_ question: SiloWorld.Question) async throws {
        let forms = question.forms.filter { form in filter.map { form.name.contains($0) } ?? true }
        var costs: [[Double]] = forms.map { _ in [] }
        var waits: [[Double]] = forms.map { _ in [] }
        for form in forms { try await measure(calls / 10, form.call) }
        for _ in 0..<max(1, rounds) {
            for (index, form) in forms.enumerated() {
                costs[index].append(try await cpuMicroseconds(form.call))
                waits[index].append(try await latencyMicroseconds(form.call))
            }
        }
        print("\n\(question.name)\nremote                CPU us/call   latency us     x plain    x signed")
        for (index, form) in forms.enumerated() {
            let ratios = [0, min(1, costs.count - 1)].map { Self.median(Self.ratios(costs[index], to: costs[$0])) }
            print(Self.row(form.name, [Self.median(costs[index]), Self.median(waits[index])] + ratios))
        }
    }

    /// Of the measurements of one turn, which the machine's moods are the same for.
    private static func ratios(_ costs: [Double], to others: [Double]) -> [Double] {
        zip(costs, others).map { $0 / $1 }
    }

    // MARK: Here

    private func local() async throws {
        let service = FixedMapping()
        let direct = try OrganizationMappingServiceDelegate(try SiloWorld.monolith(), local: service)
        let encoded = try OrganizationMappingServiceDelegate(
            try SiloWorld.monolith(Silo.Options(roundTrip: true)), local: service)
        let existential = unknown(service)
        var costs: [[Double]] = [[], [], []]
        for _ in 0..<max(1, rounds) {
            costs[0].append(try await nanoseconds(200_000) { try await existential.get(organizationID: 7) })
            costs[1].append(try await nanoseconds(200_000) { try await direct.get(organizationID: 7) })
            costs[2].append(try await nanoseconds(20_000) { try await encoded.get(organizationID: 7) })
        }
        print("local                     ns/call   overhead")
        for (name, own) in zip(["the service itself", "local delegate", "local, round trip"], costs) {
            let overheads = zip(own, costs[0]).map { $0 - $1 }
            print(Self.row(name, [Self.median(own), Self.median(overheads)]))
        }
    }

    /// Hides from the optimiser which service it is: it would call none.
    @inline(never)
    @_optimize(none)
    private func unknown(_ service: FixedMapping) -> any OrganizationMappingService { service }

    private func nanoseconds(
        _ count: Int, _ call: () async throws -> OrganizationMapping?
    ) async throws -> Double {
        let start = ContinuousClock.now
        for _ in 0..<count { _ = try await call() }
        return Self.microseconds(.now - start) * 1000 / Double(count)
    }

    // MARK: There

    private func measure(_ count: Int, _ call: @escaping @Sendable () async throws -> Void) async throws {
        let share = max(1, count / concurrency)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<concurrency { group.addTask { for _ in 0..<share { try await call() } } }
            try await group.waitForAll()
        }
    }

    private func cpuMicroseconds(_ call: @escaping @Sendable () async throws -> Void) async throws -> Double {
        let before = Self.processorMicroseconds
        try await measure(calls, call)
        return (Self.processorMicroseconds - before) / Double(max(1, calls / concurrency) * concurrency)
    }

    /// One call after the other.
    private func latencyMicroseconds(_ call: @escaping @Sendable () async throws -> Void) async throws -> Double {
        let count = max(1, calls / 20)
        let start = ContinuousClock.now
        for _ in 0..<count { try await call() }
        return Self.microseconds(.now - start) / Double(count)
    }

    private static var processorMicroseconds: Double {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        return Double(time.tv_sec) * 1e6 + Double(time.tv_nsec) / 1e3
    }

    private static func microseconds(_ duration: Duration) -> Double {
        Double(duration.components.seconds) * 1e6 + Double(duration.components.attoseconds) / 1e12
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.isEmpty ? .nan : sorted[sorted.count / 2]
    }

    private static func row(_ name: String, _ values: [Double]) -> String {
        name + String(repeating: " ", count: max(1, 22 - name.count))
            + values.map { value in
                let text = BenchmarkTable.rounded(value)
                return String(repeating: " ", count: max(0, 11 - text.count)) + text
            }.joined(separator: " ")
    }
}
