/// Results of one workload: CPU time for each call, by server.
struct PeerRow {
    let workload: PeerWorkload
    let microseconds: [String: Double]

    /// What docs/performance.md promises: how many times as long a peer takes, or a time of ours.
    private static let leastRatios = [
        (workload: "echo", peer: "C++ gRPC", least: 5.0),
        (workload: "echo", peer: "grpc-swift-2", least: 40.0),
        (workload: "list", peer: "C++ gRPC", least: 2.0),
    ]
    private static let mostMicroseconds = ["stream": 1000.0]
    private static let columns = ["C++ gRPC", "C++ synchronous", "grpc-go", "grpc-swift-2", "sonora"]

    struct Goal {
        let text: String
        let measured: Double
        let isMet: Bool
    }

    private var ours: Double { microseconds[PeerComparison.ours] ?? .nan }
    private func ratio(_ peer: String) -> Double? { microseconds[peer].map { $0 / ours } }

    /// Goals whose peers were measured.
    var goals: [Goal] {
        var goals: [Goal] = []
        for goal in Self.leastRatios where goal.workload == workload.name {
            guard let found = ratio(goal.peer) else { continue }
            let least = BenchmarkTable.rounded(goal.least)
            let text = "\(goal.workload): \(goal.peer) takes at least \(least) times as long"
            goals.append(Goal(text: text, measured: found, isMet: found >= goal.least))
        }
        if let most = Self.mostMicroseconds[workload.name] {
            let text = "\(workload.name): under \(BenchmarkTable.rounded(most)) us"
            goals.append(Goal(text: text, measured: ours, isMet: ours < most))
        }
        return goals
    }

    static let heading = line(["workload", "our us"] + columns)

    /// A line of times and ratios, and one for each goal.
    var text: String {
        let cells = Self.columns.map { peer in
            guard let time = microseconds[peer], let ratio = ratio(peer) else { return "-" }
            return "\(BenchmarkTable.rounded(time)) (\(BenchmarkTable.rounded(ratio))x)"
        }
        let results = Self.line([workload.name, BenchmarkTable.rounded(ours)] + cells)
        return ([results] + goals.map { goal in
            "  \(goal.isMet ? "met    " : "NOT MET") \(goal.text): \(BenchmarkTable.rounded(goal.measured))"
        }).joined(separator: "\n")
    }

    var json: String {
        let times = microseconds.sorted { $0.key < $1.key }.map { "\"\($0.key)\":\($0.value)" }
        let judged = goals.map { "{\"goal\":\"\($0.text)\",\"measured\":\($0.measured),\"met\":\($0.isMet)}" }
        return "{\"workload\":\"\(workload.name)\",\"microseconds\":{\(times.joined(separator: ","))},"
            + "\"goals\":[\(judged.joined(separator: ","))]}"
    }

    private static func line(_ cells: [String]) -> String {
        cells.enumerated().map { index, cell in
            cell + String(repeating: " ", count: max(0, (index == 0 ? 8 : index == 1 ? 9 : 16) - cell.count))
        }.joined(separator: " ")
    }
}
