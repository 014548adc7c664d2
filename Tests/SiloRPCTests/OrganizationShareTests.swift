import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct OrganizationShareTests {
    @Test func `an organization has its share of calls and no more, and gets places back`() {
        let running = RunningCalls()
        #expect(running.begin(1, 2) && running.begin(1, 2))
        #expect(!running.begin(1, 2), "the third is refused")
        #expect(running.begin(2, 2), "another organization is not touched")
        #expect(running.refused == 1)
        running.end(1)
        #expect(running.begin(1, 2))
    }

    @Test func `organizations that come and go do not pile up, and those with calls stay counted`() {
        let running = RunningCalls()
        #expect(running.begin(0, 1))
        for organization in 1...5_000 {
            #expect(running.begin(Int64(organization), 1))
            running.end(Int64(organization))
        }
        #expect(running.knownCount < 1_100)
        #expect(!running.begin(0, 1))
        running.end(0)
        #expect(running.begin(0, 1))
    }
}
