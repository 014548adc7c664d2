import NIOCore

/// Runs Swift tasks on one event loop.
///
/// Jobs that become ready while the loop is busy with something of ours are collected and run together, in
/// order, so that everything they write can go out in one flush. A job that makes itself ready again waits
/// for the next round: a task that only yields cannot starve the sockets.
///
/// `@unchecked Sendable`: everything mutable is touched on `eventLoop` only; `enqueue` hops there first.
final class EventLoopTaskExecutor: TaskExecutor, @unchecked Sendable {
    let eventLoop: any EventLoop
    private var ready: [UnownedJob] = []
    private var running: [UnownedJob] = []
    private var isRoundScheduled = false
    /// Runs after each round of jobs: the place to flush.
    var afterRound: (() -> Void)?

    init(eventLoop: any EventLoop) { self.eventLoop = eventLoop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        if eventLoop.inEventLoop {
            ready.append(job)
            scheduleRound()
        } else {
            eventLoop.execute {
                self.ready.append(job)
                self.round()
            }
        }
    }

    /// Asks for a round soon even if no job is ready (somebody wants a flush).
    func scheduleRound() {
        guard !isRoundScheduled else { return }
        isRoundScheduled = true
        eventLoop.execute {
            self.isRoundScheduled = false
            self.round()
        }
    }

    /// Runs the jobs that are ready now. The caller flushes.
    func runReadyJobs() {
        guard running.isEmpty, !ready.isEmpty else { return }
        swap(&ready, &running)
        for job in running { job.runSynchronously(on: asUnownedTaskExecutor()) }
        running.removeAll(keepingCapacity: true)
    }

    private func round() {
        runReadyJobs()
        afterRound?()
    }
}
