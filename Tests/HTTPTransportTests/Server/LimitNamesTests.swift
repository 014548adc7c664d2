import Testing

@testable import HTTPTransport

@Suite(.timeLimit(.minutes(5))) struct LimitNamesTests {
    @Test func `every limit and timer has a name, and configuration can set it`() throws {
        for child in Mirror(reflecting: HTTPLimits()).children {
            let name = try #require(child.label)
            var limits = HTTPLimits()
            try limits.set(name, to: 7)
            #expect(limits.value(of: name) == 7, "\(name)")
        }
        #expect(HTTPLimits.names.count == Mirror(reflecting: HTTPLimits()).children.count)
        for child in Mirror(reflecting: HTTPTimeouts()).children {
            let name = try #require(child.label)
            var timeouts = HTTPTimeouts()
            try timeouts.set(name, to: 7)
            let value = Mirror(reflecting: timeouts).children.first { $0.label == name }?.value
            #expect(value as? Duration == .seconds(7) || value as? Int == 7, "\(name)")
        }
        #expect(HTTPTimeouts.names.count == Mirror(reflecting: HTTPTimeouts()).children.count)
    }

    @Test func `what may be off is switched off with -1, and nothing else`() throws {
        var limits = HTTPLimits()
        try limits.set("connectionsPerAddress", to: -1)
        #expect(limits.connectionsPerAddress == nil)
        #expect(throws: HTTPLimitError("limit connections cannot be -1")) {
            try limits.set("connections", to: -1)
        }
        var timeouts = HTTPTimeouts()
        try timeouts.set("writeStall", to: -1)
        #expect(timeouts.writeStall == nil)
        #expect(throws: HTTPLimitError("timer lingeringClose cannot be -1.0")) {
            try timeouts.set("lingeringClose", to: -1)
        }
        #expect(throws: HTTPLimitError.self) { try timeouts.set("requestHead", to: .nan) }
    }

    @Test func `an unknown name is an error that lists the names`() {
        var limits = HTTPLimits()
        let error = #expect(throws: HTTPLimitError.self) { try limits.set("conections", to: 1) }
        #expect(error?.description.hasPrefix("no limit \"conections\"; there are: headerListByteCount, ") == true)
    }

    @Test func `a flood does not fill the log`() {
        let hits = LimitHits()
        let admitted = (0..<1_000).filter { _ in hits.admitLine(now: 5_000_000_000).isAdmitted }.count
        #expect(admitted == LimitHits.linesPerSecond)
        #expect(hits.admitLine(now: 6_000_000_000).leftOut == 1_000 - LimitHits.linesPerSecond)
        #expect(hits.admitLine(now: 6_000_000_001).leftOut == 0)
    }

    @Test func `a reader that takes next to nothing is as stalled as one that takes nothing`() {
        let second: UInt64 = 1_000_000_000
        for (rate, isStalled) in [(0, true), (100, true), (300, false)] {
            var watch = StallWatch()
            var found = false
            for tick in UInt64(1)...70 {
                found = watch.isStalled(
                    bufferedByteCount: 10, progress: rate * Int(tick), period: .seconds(60), bytesPerSecond: 256,
                    now: tick * second) || found
            }
            #expect(found == isStalled, "\(rate) bytes per second")
        }
        var idle = StallWatch()
        for tick in UInt64(1)...100 {
            // Every half minute there is a moment when nothing waits.
            let stalled = idle.isStalled(
                bufferedByteCount: tick % 30 == 0 ? 0 : 10, progress: 0, period: .seconds(60), bytesPerSecond: 256,
                now: tick * second)
            #expect(!stalled)
        }
    }
}
