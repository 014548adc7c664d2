import Subprocess
import Synchronization

/// One long-lived `git cat-file --batch-command -z` process, used by one caller at a time.
///
/// Questions end with NUL, so that a newline in a path cannot become a second question. Answers are read in the
/// order of the questions. A reader that was cancelled, timed out or answered nonsense is broken for good: its
/// process group is killed, and every later question fails.
///
/// The process belongs to a task that waits for questions; ``Mailbox`` hands them over.
final class ObjectReader: Sendable {
    private let mailbox: Mailbox
    private let task: Task<Void, Never>

    init(process: GitProcess, location: RepositoryLocation, limits: ProcessLimits) {
        let mailbox = Mailbox()
        self.mailbox = mailbox
        let command = GitCommand(.catFile).flag(.batchCommand).flag(.nulTerminated)
        task = Task {
            do {
                let configuration = try process.configuration(command, in: location)
                _ = try await Subprocess.run(
                    configuration, input: .inputWriter, output: .sequence, error: .discarded
                ) { execution in
                    try limits.apply(to: execution.processIdentifier)
                    await Self.serve(mailbox, execution.standardInputWriter, execution.standardOutput)
                    // Also when it has just closed its input: nothing may outlive the reader.
                    try? execution.send(signal: .kill, toProcessGroup: true)
                }
                mailbox.close(GitError.corruptAnswer("git cat-file ended"))
            } catch {
                mailbox.close((error as? GitError) ?? GitError.failed(status: "not started", message: "\(error)"))
            }
        }
    }

    /// The task holds the mailbox only, so a reader that nobody has any more ends its process.
    deinit { breakOff() }

    /// Whether it can still be asked.
    var isUsable: Bool { !mailbox.isClosed }

    /// Asks and waits for the answer to be parsed by `read`, which sees the process's output from the question's
    /// first answer byte on. Cancelling the calling task kills the process.
    func ask(_ question: [UInt8], answer: any ObjectAnswer) async throws {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                mailbox.put(Mailbox.Question(bytes: question, answer: answer, continuation: continuation))
            }
        } onCancel: {
            breakOff()
        }
        try Task.checkCancellation()
    }

    /// Kills the process. A caller that waits gets an error.
    func breakOff() {
        task.cancel()
        mailbox.close(GitError.corruptAnswer("git cat-file was stopped"))
    }

    /// Kills the process and waits until it is reaped.
    func stop() async {
        breakOff()
        await task.value
    }

    private static func serve(
        _ mailbox: Mailbox,
        _ input: StandardInputWriter,
        _ output: SubprocessOutputSequence
    ) async {
        var chunks = output.makeAsyncIterator()
        while let question = await mailbox.next() {
            do {
                _ = try await input.write(question.bytes)
                while !question.answer.isComplete {
                    guard let chunk = try await chunks.next() else {
                        throw GitError.corruptAnswer("git cat-file ended inside an answer")
                    }
                    try chunk.withUnsafeBytes { try question.answer.feed($0) }
                }
                mailbox.finish(.success(()))
            } catch {
                // A process that is gone shows in the question's write, or in the answer's end.
                mailbox.finish(.failure(error as? GitError ?? GitError.corruptAnswer("git cat-file ended: \(error)")))
                return
            }
        }
    }
}

/// What a question expects. Used by one task at a time: the reader's, then the asker's.
protocol ObjectAnswer: AnyObject, Sendable {
    /// - Throws: ``GitError/corruptAnswer(_:)``, ``GitError/tooLarge(what:limit:knob:)``: the reader is broken then.
    func feed(_ bytes: UnsafeRawBufferPointer) throws
    var isComplete: Bool { get }
}

/// One slot between the asker and the task that owns the process.
///
/// ```
///            put                    next
///   idle ----------> pending ----------------> asked --- finish ---> idle
///    |                  |                        |
///    +------ close -----+--------- close --------+----> closed (the asker gets the error, once)
/// ```
private final class Mailbox: Sendable {
    struct Question: Sendable {
        let bytes: [UInt8]
        let answer: any ObjectAnswer
        let continuation: CheckedContinuation<Void, any Error>
    }

    private struct State {
        var pending: Question?
        var asked: CheckedContinuation<Void, any Error>?
        var waiter: CheckedContinuation<Question?, Never>?
        var closedWith: (any Error)?
    }

    private let state = Mutex(State())

    var isClosed: Bool { state.withLock { $0.closedWith != nil } }

    func put(_ question: Question) {
        let (waiter, error) = state.withLock { state -> (CheckedContinuation<Question?, Never>?, (any Error)?) in
            if let error = state.closedWith { return (nil, error) }
            if let waiter = state.waiter {
                state.waiter = nil
                state.asked = question.continuation
                return (waiter, nil)
            }
            state.pending = question
            return (nil, nil)
        }
        if let error { question.continuation.resume(throwing: error) }
        waiter?.resume(returning: question)
    }

    /// Waits for a question; nil once closed.
    func next() async -> Question? {
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state -> Question?? in
                if state.closedWith != nil { return .some(nil) }
                guard let question = state.pending else {
                    state.waiter = continuation
                    return nil
                }
                state.pending = nil
                state.asked = question.continuation
                return question
            }
            if let ready { continuation.resume(returning: ready) }
        }
    }

    func finish(_ result: Result<Void, any Error>) {
        let asker = state.withLock { state in
            defer { state.asked = nil }
            if case .failure(let error) = result { state.closedWith = state.closedWith ?? error }
            return state.asked
        }
        asker?.resume(with: result)
    }

    func close(_ error: any Error) {
        let (asker, waiter) = state.withLock { state in
            state.closedWith = state.closedWith ?? error
            let asker = state.asked ?? state.pending?.continuation
            defer { (state.asked, state.pending, state.waiter) = (nil, nil, nil) }
            return (asker, state.waiter)
        }
        asker?.resume(throwing: error)
        waiter?.resume(returning: nil)
    }
}
