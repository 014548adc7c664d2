import Testing

@testable import ScmGateway

@Suite(.timeLimit(.minutes(5))) struct CacheAndSemaphoreTests {
    @Test func theCacheKeepsTheMostRecentlyUsed() {
        let cache = ByteBoundedCache<Int, String>(limit: 100)
        for key in 1...4 { cache.insert("\(key)", for: key, byteCount: 25) }
        #expect(cache[1] == "1")
        cache.insert("5", for: 5, byteCount: 25)
        #expect(cache[2] == nil)
        #expect([1, 3, 4, 5].allSatisfy { cache[$0] == "\($0)" })
        cache.insert("new", for: 3, byteCount: 10)
        #expect(cache[3] == "new")
        #expect(cache.byteCount == 85)
        cache.insert("too large", for: 9, byteCount: 26)
        #expect(cache[9] == nil)
        #expect(cache.count == 4)
    }

    @Test func theCacheAgreesWithAModel() {
        var generator = SystemRandomNumberGenerator()
        let cache = ByteBoundedCache<Int, Int>(limit: 1000)
        var order: [(key: Int, size: Int)] = []
        for step in 0..<5000 {
            let key = Int.random(in: 0..<40, using: &generator)
            if step.isMultiple(of: 3) {
                let hit = order.firstIndex { $0.key == key }
                #expect((cache[key] != nil) == (hit != nil))
                if let hit { order.append(order.remove(at: hit)) }
            } else {
                let size = Int.random(in: 1...250, using: &generator)
                cache.insert(step, for: key, byteCount: size)
                order.removeAll { $0.key == key }
                order.append((key, size))
                while order.map(\.size).reduce(0, +) > 1000 { order.removeFirst() }
            }
            #expect(cache.byteCount == order.map(\.size).reduce(0, +))
        }
    }

    @Test func unitsAreLimitedAndTheQueueIsBounded() async throws {
        let semaphore = AsyncSemaphore(limit: 2, queueLimit: 1, knob: "knob")
        let gate = AsyncSemaphore(limit: 1, queueLimit: 10, knob: "gate")
        let running = Box(0)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            try await gate.withUnit {
                for _ in 0..<2 {
                    group.addTask {
                        try await semaphore.withUnit {
                            running.withLock { $0 += 1 }
                            try await gate.withUnit {}
                        }
                        return true
                    }
                }
                while running.withLock({ $0 }) < 2 { try await Task.sleep(for: .milliseconds(1)) }
                // One waits, the other is refused; which of them is not fixed. Only the latter can end by itself.
                let ends = await withTaskGroup(of: (any Error)?.self) { group in
                    for _ in 0..<2 {
                        group.addTask {
                            do { try await semaphore.withUnit {} } catch { return error }
                            return nil
                        }
                    }
                    let refused = await group.next() ?? nil
                    group.cancelAll()
                    return [refused, await group.next() ?? nil]
                }
                #expect(ends[0] as? GitError == .overloaded(limit: 1, knob: "knob"))
                #expect(ends[1] is CancellationError)
            }
            for try await done in group { #expect(done) }
        }
        #expect(semaphore.isIdle)
    }

    @Test func cancelledWaitersLeaveNoUnitBehind() async throws {
        let semaphore = AsyncSemaphore(limit: 1, queueLimit: 1000, knob: "knob")
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<200 {
                group.addTask {
                    let task = Task { try? await semaphore.withUnit { await Task.yield() } }
                    if index.isMultiple(of: 2) { task.cancel() }
                    await task.value
                }
            }
        }
        #expect(semaphore.isIdle)
    }
}
