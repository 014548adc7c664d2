import NIOCore
import Testing

@testable import HTTPTransport

/// Timers of peers stand still while this side is held up.
@Suite(.timeLimit(.minutes(5))) struct TickClockTests {
    private static let second: UInt64 = 1_000_000_000

    /// Runs `check` at every tick that may end something, until it is true; the number of ticks.
    private func ticks(
        every gap: UInt64, limit: Int = 1_000, _ check: (_ now: UInt64, _ real: UInt64) -> Bool
    ) -> Int? {
        var clock = TickClock(interval: Self.second, now: Self.second)
        for count in 1...limit {
            let real = Self.second + UInt64(count) * gap
            if clock.tick(now: real), check(clock.time(real), real) { return count }
        }
        return nil
    }

    @Test func `ticks in time show the real time`() {
        #expect(ticks(every: Self.second) { now, real in now != real } == nil)
        #expect(ticks(every: 3 * Self.second) { now, real in now != real } == nil)
    }

    @Test func `one late tick ends nothing and counts as one interval`() {
        var clock = TickClock(interval: Self.second, now: 0)
        let mayEnd = [1, 61, 62].map { clock.tick(now: $0 * Self.second) }
        #expect(mayEnd == [true, false, true])
        #expect(clock.time(61 * Self.second) == 2 * Self.second)
        #expect(clock.time(62 * Self.second) == 3 * Self.second)
        #expect(clock.time(0) == 0)
    }

    @Test func `a server that is always late still ends slow peers, after as many ticks`() {
        let timeouts = HTTPTimeouts()
        let start = Self.second
        let head = ticks(every: 20 * Self.second) { now, _ in
            MonotonicTime.isPast(timeouts.requestHead, since: start, now)
        }
        #expect(head == 12)
    }

    @Test func `a body that comes fast enough is not ended for the pauses of the server`() {
        let timeouts = HTTPTimeouts()
        var good = BodyPace()
        // Twice the least speed while the server runs, nothing while it is held up.
        let ended = ticks(every: 20 * Self.second) { now, _ in
            good.didReceive(2 * 2 * timeouts.bodyBytesPerSecond)
            return good.isTooSlow(timeouts, now: now)
        }
        #expect(ended == nil)
        var slow = BodyPace()
        let late = ticks(every: 20 * Self.second) { now, _ in
            slow.didReceive(timeouts.bodyBytesPerSecond / 2)
            return slow.isTooSlow(timeouts, now: now)
        }
        #expect(late != nil)
    }

    @Test func `a reader is not stalled because the server wrote nothing`() {
        func ended(_ perTick: Int, every gap: UInt64) -> Int? {
            var watch = StallWatch()
            var progress = 0
            return ticks(every: gap) { now, _ in
                progress += perTick
                return watch.isStalled(
                    bufferedByteCount: 1, progress: progress, period: .seconds(60), bytesPerSecond: 256, now: now)
            }
        }
        #expect(ended(512, every: 20 * Self.second) == nil)
        #expect(ended(0, every: 20 * Self.second) != nil)
        #expect(ended(512, every: Self.second) == nil)
        #expect(ended(0, every: Self.second) == 62)
    }

    @Test func `a keepalive check does not count the client's own pause`() {
        var configuration = HTTPClientConfiguration()
        configuration.keepalive = HTTPKeepalive(interval: .seconds(10), timeout: .seconds(20))
        let start = NIODeadline.uptimeNanoseconds(Self.second)
        var timers = ClientTimers(configuration, now: start)
        var clock = TickClock(interval: Self.second, now: Self.second)
        func at(_ seconds: UInt64) -> ClientTimers.Action? {
            let now = (seconds + 1) * Self.second
            guard clock.tick(now: now) else { return nil }
            return timers.check(now: .uptimeNanoseconds(clock.time(now)), activeCount: 1)
        }
        for second in 1..<10 as Range<UInt64> { #expect(at(second) == ClientTimers.Action.none) }
        #expect(at(10) == .ping)
        // Held up for a minute; the answer waits in the socket, and is read after the late tick.
        #expect(at(70) == nil)
        #expect(at(71) == ClientTimers.Action.none)
        timers.didRead(now: .uptimeNanoseconds(clock.time(72 * Self.second)))
        #expect(at(72) == ClientTimers.Action.none)
        // A server that is gone is still found, though every tick is late.
        var ticks = 0
        var last: ClientTimers.Action?
        while ticks < 200,
            last != .close(reason: "no answer to a keepalive PING within HTTPKeepalive.timeout = 20.0 seconds")
        {
            ticks += 1
            last = at(72 + 30 * UInt64(ticks))
        }
        #expect((20...80).contains(ticks))
    }
}
