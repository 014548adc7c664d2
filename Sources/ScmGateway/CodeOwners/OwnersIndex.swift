/// Finds the last of many patterns that matches a path, without trying most of them.
///
/// A pattern is filed under what it needs a path to have: the names that it begins with, a name anywhere, or a name's
/// ending. Only the few that are filed under a path's own parts are tried, the last first.
struct OwnersIndex: Sendable {
    private let patterns: [OwnersPattern]
    /// Every name that stands in a pattern, by its bytes.
    private var names: [ArraySlice<UInt8>: Int] = [:]
    /// A tree of the names that anchored patterns begin with: (node, name) -> node.
    private var edges: [Edge: Int] = [:]
    /// Patterns that begin with the names on the way to a node; numbers rise in each list.
    private var atNode: [[Int]] = [[]]
    /// By a name that stands behind a leading `**/`.
    private var byName: [Int: [Int]] = [:]
    /// By the last `.` and what follows, when that ends the glob behind a leading `**/`.
    private var byEnding: [ArraySlice<UInt8>: [Int]] = [:]
    private var others: [Int] = []

    private struct Edge: Hashable {
        let node: Int
        let name: Int
    }

    init(_ patterns: [OwnersPattern]) {
        self.patterns = patterns
        for number in patterns.indices { file(number) }
    }

    private mutating func file(_ number: Int) {
        let segments = patterns[number].segments
        guard segments.first == .anySegments else {
            var node = 0
            for case .name(let bytes) in segments.prefix(while: { if case .name = $0 { true } else { false } }) {
                node = child(of: node, bytes)
            }
            return atNode[node].append(number)
        }
        switch segments.first(where: { $0 != .anySegments }) {
        case .name(let bytes)?: byName[name(bytes), default: []].append(number)
        case .glob(let glob)?:
            guard let ending = Self.ending(glob.suffix[...]) else { return others.append(number) }
            byEnding[ending, default: []].append(number)
        default: others.append(number)
        }
    }

    private mutating func child(of node: Int, _ bytes: [UInt8]) -> Int {
        let edge = Edge(node: node, name: name(bytes))
        if let known = edges[edge] { return known }
        atNode.append([])
        edges[edge] = atNode.count - 1
        return atNode.count - 1
    }

    private mutating func name(_ bytes: [UInt8]) -> Int {
        if let known = names[bytes[...]] { return known }
        names[bytes[...]] = names.count
        return names.count - 1
    }

    private static func ending(_ name: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        name.lastIndex(of: UInt8(ascii: ".")).map { name[$0...] }
    }

    /// The number of the last pattern that matches; nil when none does.
    func lastMatch(_ path: OwnersPath) -> Int? {
        var best = -1
        let ids = path.segments.map { names[$0] }
        walk(ids[...], path, &best)
        if path.segments.first?.isEmpty == true { walk(ids.dropFirst(), path, &best) }
        for (id, segment) in zip(ids, path.segments) {
            if let id, let found = byName[id] { last(of: found, path, &best) }
            if let ending = Self.ending(segment), let found = byEnding[ending] { last(of: found, path, &best) }
        }
        last(of: others, path, &best)
        return best < 0 ? nil : best
    }

    private func walk(_ ids: ArraySlice<Int?>, _ path: OwnersPath, _ best: inout Int) {
        var node = 0
        last(of: atNode[0], path, &best)
        for id in ids {
            guard let id, let next = edges[Edge(node: node, name: id)] else { return }
            node = next
            last(of: atNode[node], path, &best)
        }
    }

    private func last(of numbers: [Int], _ path: OwnersPath, _ best: inout Int) {
        for number in numbers.reversed() {
            guard number > best else { return }
            if patterns[number].matches(path) {
                best = number
                return
            }
        }
    }
}
