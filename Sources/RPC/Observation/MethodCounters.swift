import NIOCore
import Synchronization

/// What one call has moved. Touched on the call's event loop only.
struct CallTraffic {
    var requestMessageCount = 0
    var requestByteCount = 0
    var responseMessageCount = 0
    var responseByteCount = 0
    var duration = TimeAmount.zero

    mutating func didReceive(_ byteCount: Int) {
        requestMessageCount &+= 1
        requestByteCount &+= byteCount
    }

    mutating func didSend(_ byteCount: Int) {
        responseMessageCount &+= 1
        responseByteCount &+= byteCount
    }
}

/// Counters of one method: made once, then only added to. A call costs eight additions to memory that its event loop
/// shares with no other loop: one row ("shard") a loop, each on cache lines of its own.
///
///     shard 0: [ started | status 0...16 | duration buckets | nanoseconds | messages and bytes | padding ]
///     shard 1: [ ...
///
/// A struct, so that no call counts a reference to it: the owner calls ``deallocate()`` in the end.
///
/// `@unchecked Sendable`: the pointer never changes, and behind it is nothing but atomics.
struct MethodCounters: @unchecked Sendable {
    /// Upper bounds of the duration buckets, nanoseconds: 0.1 ms to 30 s.
    static let bounds: [Int64] = [
        100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000,
        250_000_000, 500_000_000, 1_000_000_000, 2_500_000_000, 5_000_000_000, 10_000_000_000, 30_000_000_000,
    ]

    private enum Slot {
        static let started = 0
        static let codes = 1
        static let codeCount = 17
        static let buckets = codes + codeCount
        static let bucketCount = 18
        static let nanoseconds = buckets + bucketCount
        static let requestMessages = nanoseconds + 1
        static let requestBytes = nanoseconds + 2
        static let responseMessages = nanoseconds + 3
        static let responseBytes = nanoseconds + 4
        /// Multiple of the eight words of a cache line.
        static let stride = 48
    }

    /// A power of two: as many as there are processors, at most 16; loops beyond that share.
    private static let defaultShardCount: Int = {
        var count = 1
        while count < min(System.coreCount, 16) { count *= 2 }
        return count
    }()

    private let slots: UnsafeMutablePointer<Atomic<Int>>
    private let shardCount = Self.defaultShardCount

    init() {
        let count = shardCount * Slot.stride
        let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64)
        slots = memory.bindMemory(to: Atomic<Int>.self, capacity: count)
        for index in 0..<count { (slots + index).initialize(to: Atomic(0)) }
    }

    func deallocate() {
        slots.deinitialize(count: shardCount * Slot.stride)
        UnsafeMutableRawPointer(slots).deallocate()
    }

    func didStart(shard: Int) {
        add(1, to: row(shard) + Slot.started)
    }

    func didFinish(shard: Int, code: StatusCode, _ traffic: CallTraffic) {
        let row = row(shard)
        let known = (0..<Slot.codeCount).contains(code.rawValue) ? code.rawValue : StatusCode.unknown.rawValue
        add(1, to: row + Slot.codes + known)
        let nanoseconds = traffic.duration.nanoseconds
        add(1, to: row + Slot.buckets + Self.bucket(nanoseconds))
        add(Int(nanoseconds), to: row + Slot.nanoseconds)
        add(traffic.requestMessageCount, to: row + Slot.requestMessages)
        add(traffic.requestByteCount, to: row + Slot.requestBytes)
        add(traffic.responseMessageCount, to: row + Slot.responseMessages)
        add(traffic.responseByteCount, to: row + Slot.responseBytes)
    }

    func statistics(_ method: MethodDescriptor?, isEnabled: Bool) -> MethodStatistics {
        var codes: [StatusCode: Int] = [:]
        for code in 0..<Slot.codeCount where sum(Slot.codes + code) > 0 {
            codes[StatusCode(rawValue: code)] = sum(Slot.codes + code)
        }
        return MethodStatistics(
            method: method, isEnabled: isEnabled, startedCount: sum(Slot.started), finishedCounts: codes,
            durationCounts: (0..<Slot.bucketCount).map { sum(Slot.buckets + $0) },
            totalDuration: .nanoseconds(sum(Slot.nanoseconds)),
            requestMessageCount: sum(Slot.requestMessages), requestByteCount: sum(Slot.requestBytes),
            responseMessageCount: sum(Slot.responseMessages), responseByteCount: sum(Slot.responseBytes)
        )
    }

    static func bucket(_ nanoseconds: Int64) -> Int {
        // Most calls are short: the first comparisons decide.
        for (index, bound) in bounds.enumerated() where nanoseconds <= bound { return index }
        return bounds.count
    }

    private func row(_ shard: Int) -> Int { (shard & (shardCount - 1)) * Slot.stride }

    private func add(_ amount: Int, to slot: Int) {
        slots[slot].wrappingAdd(amount, ordering: .relaxed)
    }

    private func sum(_ slot: Int) -> Int {
        (0..<shardCount).reduce(0) { $0 &+ slots[$1 * Slot.stride + slot].load(ordering: .relaxed) }
    }
}
