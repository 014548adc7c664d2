import NIOCore

/// The handler's run: its start, its deadline, its end. On the event loop, but for what is public.
///
///     waiting --handlerWillRun--> starting --handlerDidSuspend--> suspended, with a task and its timer
///                                    |                               |
///                                    +--------handlerReturned--------+--> returned
extension HTTPExchange {
    /// Cancels the handler's task, for a deadline. The exchange itself goes on: it can still be answered.
    public func cancelHandler() {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.cancelHandler() } }
        state.pointee.isHandlerCancelled = true
        state.pointee.task?.cancel()
    }

    /// Tells `handler`, on the event loop, when `instant` passes while the exchange's own handler still runs. Once for
    /// an exchange. A handler that never suspends pays nothing for it: the timer starts when it does.
    public func setDeadline(_ instant: NIODeadline, handler: any NIOScheduledCallbackHandler & Sendable) {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.setDeadline(instant, handler: handler) } }
        guard !hasReturned else { return }
        state.pointee.mayHoldWait = true
        state.pointee.deadline = Deadline(instant: instant, handler: handler)
        if !state.pointee.isStarting { startDeadlineTimer() }
    }

    /// Runs tasks on this exchange's event loop.
    public var taskExecutor: any TaskExecutor { connection.loop.executor }

    /// False when the exchange has ended already.
    func handlerWillRun() -> Bool {
        guard !isClosed else {
            connection.handlerDidReturn()
            return false
        }
        isStarted = true
        state.pointee.isStarting = true
        return true
    }

    /// The handler goes on later, in a task of its own.
    func handlerDidSuspend(in task: Task<Void, Never>) {
        state.pointee.isStarting = false
        guard !hasReturned else { return }
        state.pointee.mayHoldWait = true
        state.pointee.task = task
        if failure != nil || state.pointee.isHandlerCancelled { task.cancel() }
        startDeadlineTimer()
    }

    /// Whatever the handler left undone is done now.
    func handlerReturned() {
        guard eventLoop.inEventLoop else { return eventLoop.execute { self.handlerReturned() } }
        hasReturned = true
        state.pointee.isStarting = false
        if state.pointee.mayHoldWait { endWait() }
        if failure == nil, !isFinished, isAttached { driver.abandoned(self) }
        connection.handlerDidReturn()
    }

    private func endWait() {
        state.pointee.mayHoldWait = false
        state.pointee.task = nil
        state.pointee.deadline = nil
        state.pointee.deadlineTimer?.cancel()
        state.pointee.deadlineTimer = nil
    }

    private func startDeadlineTimer() {
        guard let deadline = state.pointee.deadline, !hasReturned else { return }
        state.pointee.deadlineTimer = try? eventLoop.scheduleCallback(at: deadline.instant, handler: deadline.handler)
    }

    var deadlineInstant: NIODeadline? { state.pointee.deadline?.instant }

    var handlerState: HTTPExchangeSnapshot.HandlerState {
        if hasReturned { return .returned }
        if !isStarted { return .waiting }
        return failure != nil || state.pointee.isHandlerCancelled ? .cancelled : .running
    }
}

/// What the connection tells, on the event loop.
extension HTTPExchange {
    /// The peer or the connection is gone.
    func fail(_ error: HTTPStreamError, cancelsTask: Bool = true) {
        guard failure == nil else { return }
        failure = error
        closed.store(true, ordering: .relaxed)
        let dropped = inbox.fail(error)
        didConsume(dropped)
        _ = inbox.wake()
        gate.open(error)
        if cancelsTask { state.pointee.task?.cancel() }
    }

    /// The request body is broken, but the response may still be sent.
    func failBody(_ error: HTTPStreamError, cancelsTask: Bool) {
        let dropped = inbox.fail(error)
        didConsume(dropped)
        _ = inbox.wake()
        if cancelsTask { state.pointee.task?.cancel() }
    }

    /// The peer cannot read the answer for certain any more, but may.
    func cancelTask() { state.pointee.task?.cancel() }

    /// After a push of received bytes or of the end: tells a waiting reader.
    func wakeReader() {
        didConsume(inbox.wake())
    }
}
