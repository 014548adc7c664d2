import NIOCore
import NIOPosix
import Testing

@testable import ScmGateway

/// What blocks must leave the event loop that a call came in on.
@Suite(.timeLimit(.minutes(5))) struct OffLoopTests {
    @Test("offLoop leaves the executor of its caller at once, and comes back to it")
    func leavesTheLoop() async throws {
        let eventLoop = MultiThreadedEventLoopGroup.singleton.next()
        let places = try await Task(executorPreference: LoopExecutor(eventLoop)) {
            let before = eventLoop.inEventLoop
            let during = try await offLoop { eventLoop.inEventLoop }
            return (before: before, during: during, after: eventLoop.inEventLoop)
        }.value
        #expect(places.before)
        #expect(!places.during)
        #expect(places.after)
    }
}

private final class LoopExecutor: TaskExecutor {
    private let eventLoop: any EventLoop

    init(_ eventLoop: any EventLoop) {
        self.eventLoop = eventLoop
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        eventLoop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
