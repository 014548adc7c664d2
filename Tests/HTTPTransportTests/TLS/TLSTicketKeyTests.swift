import NIOCore
import Testing

@testable import HTTPTransport

/// Keys of session tickets live for one lifetime and open for one more.
@Suite(.timeLimit(.minutes(5))) struct TLSTicketKeyTests {
    private static let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)

    private func names(_ keys: TLSTicketKeys, after seconds: Int64) -> [[UInt8]] {
        keys.current(Self.start + .seconds(seconds)).map(\.name)
    }

    @Test func `the newest key seals, the one before it still opens, older ones are gone`() {
        let keys = TLSTicketKeys(lifetime: .seconds(10))
        let first = names(keys, after: 0)
        #expect(first.count == 1)
        #expect(names(keys, after: 9) == first)
        let second = names(keys, after: 10)
        #expect(second.count == 2)
        #expect(second.last == first.first)
        #expect(names(keys, after: 19) == second)
        let third = names(keys, after: 20)
        #expect(third.count == 2)
        #expect(third.last == second.first)
        #expect(!third.contains(first[0]))
        #expect(Set(first + second + third).count == 3)
    }

    @Test func `after a long silence no old key opens anything`() {
        let keys = TLSTicketKeys(lifetime: .seconds(10))
        let old = names(keys, after: 0)
        let new = names(keys, after: 1000)
        #expect(new.count == 1)
        #expect(new != old)
    }

    @Test func `keys of two contexts have nothing in common`() {
        #expect(
            names(TLSTicketKeys(lifetime: .seconds(10)), after: 0)
                != names(TLSTicketKeys(lifetime: .seconds(10)), after: 0))
    }
}
