import NIOCore
import NIOEmbedded
import Testing

@testable import HTTPTransport

/// With the time of an event loop that stands still until it is told to go on.
@Suite(.timeLimit(.minutes(5))) struct ExchangeDeadlinesTests {
    @Test func `exchanges are cancelled in the order of their time, whatever the order they came in`() {
        let loop = EmbeddedEventLoop()
        let driver = RecordingDriver(loop)
        let seconds = [5, 1, 9, 3, 7, 3, 2, 8, 4, 6]
        let exchanges = seconds.map { driver.exchange(until: .uptimeNanoseconds(0) + .seconds(Int64($0))) }
        for time in 1...9 {
            loop.advanceTime(by: .seconds(1))
            let due = zip(exchanges, seconds).filter { $1 <= time }
            #expect(Set(driver.cancelled.map(ObjectIdentifier.init)) == Set(due.map { ObjectIdentifier($0.0) }))
        }
        #expect(driver.deadlines.count == 0)
        #expect(exchanges.allSatisfy { $0.failure == .cancelled })
    }

    @Test func `an exchange that has left is not cancelled, wherever it was in the heap`() {
        for leaving in 0..<7 {
            let loop = EmbeddedEventLoop()
            let driver = RecordingDriver(loop)
            let exchanges = [4, 2, 6, 1, 3, 5, 7].map { driver.exchange(until: .uptimeNanoseconds(0) + .seconds($0)) }
            exchanges[leaving].releaseLease()
            loop.advanceTime(by: .seconds(10))
            #expect(driver.cancelled.count == 6)
            #expect(exchanges[leaving].failure == nil)
        }
    }

    @Test func `the last time that was set counts`() {
        let loop = EmbeddedEventLoop()
        let driver = RecordingDriver(loop)
        let exchange = driver.exchange(until: .uptimeNanoseconds(0) + .seconds(1))
        exchange.cancel(at: .uptimeNanoseconds(0) + .seconds(5))
        #expect(driver.deadlines.count == 1)
        loop.advanceTime(by: .seconds(4))
        #expect(driver.cancelled.isEmpty)
        loop.advanceTime(by: .seconds(1))
        #expect(driver.cancelled.count == 1)
    }

    @Test func `an earlier one that comes later is not missed, and one that is over already ends at once`() {
        let loop = EmbeddedEventLoop()
        loop.advanceTime(by: .seconds(10))
        let driver = RecordingDriver(loop)
        _ = driver.exchange(until: loop.now + .seconds(100))
        _ = driver.exchange(until: loop.now + .seconds(1))
        _ = driver.exchange(until: .uptimeNanoseconds(1))
        loop.advanceTime(by: .zero)
        #expect(driver.cancelled.count == 1)
        loop.advanceTime(by: .seconds(1))
        #expect(driver.cancelled.count == 2)
    }

    @Test func `random times, arrivals and departures: each that stays is cancelled at its time`() {
        var random = SystemRandomNumberGenerator()
        let loop = EmbeddedEventLoop()
        let driver = RecordingDriver(loop)
        var waiting: [ObjectIdentifier: (exchange: HTTPClientExchange, deadline: NIODeadline)] = [:]
        for _ in 0..<2_000 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0, 1:
                let deadline = loop.now + .milliseconds(Int64.random(in: 1...500, using: &random))
                let exchange = driver.exchange(until: deadline)
                waiting[ObjectIdentifier(exchange)] = (exchange, deadline)
            case 2:
                if let (name, entry) = waiting.randomElement(using: &random) {
                    entry.exchange.releaseLease()
                    waiting[name] = nil
                }
            default:
                loop.advanceTime(by: .milliseconds(Int64.random(in: 0...40, using: &random)))
                let late = waiting.filter { $0.value.deadline <= loop.now }
                #expect(Set(driver.takeCancelled()) == Set(late.keys))
                for name in late.keys { waiting[name] = nil }
            }
            #expect(driver.deadlines.count == waiting.count)
        }
    }

    @Test func `a connection that is gone leaves no timer and cancels nothing`() {
        let loop = EmbeddedEventLoop()
        let driver = RecordingDriver(loop)
        let exchange = driver.exchange(until: loop.now + .seconds(1))
        driver.deadlines.removeAll()
        loop.advanceTime(by: .seconds(5))
        #expect(driver.cancelled.isEmpty && exchange.failure == nil && exchange.deadlinePlace == nil)
    }
}

/// Notes what is cancelled; sends nothing.
///
/// `@unchecked Sendable`: one thread, that of its test.
private final class RecordingDriver: ClientDriver, @unchecked Sendable {
    let deadlines: ExchangeDeadlines
    private let loop: EmbeddedEventLoop
    private(set) var cancelled: [HTTPClientExchange] = []

    init(_ loop: EmbeddedEventLoop) {
        self.loop = loop
        deadlines = ExchangeDeadlines(loop)
    }

    func exchange(until deadline: NIODeadline) -> HTTPClientExchange {
        let exchange = HTTPClientExchange(HTTPRequestHead(path: "/"), eventLoop: loop, driver: self, lease: nil)
        exchange.begin()
        exchange.cancel(at: deadline)
        return exchange
    }

    func takeCancelled() -> [ObjectIdentifier] {
        defer { cancelled = [] }
        return cancelled.map { ObjectIdentifier($0) }
    }

    func cancel(_ exchange: HTTPClientExchange) { cancelled.append(exchange) }
    func start(_ exchange: HTTPClientExchange) { exchange.didStart() }
    func wake(_ receiver: any HTTPResponseReceiver) { receiver.wake() }
    func send(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {}
    func queue(_ bytes: ByteBuffer, _ exchange: HTTPClientExchange) {}
    func finish(_ exchange: HTTPClientExchange) {}
    func isCongested(_ exchange: HTTPClientExchange) -> Bool { false }
    func consumed(_ count: Int, _ exchange: HTTPClientExchange) {}
    func drain() {}
    func close() {}
    func whenReady(_ promise: EventLoopPromise<Void>) {}
}
