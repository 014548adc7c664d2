import Foundation
import RPC
import Storage
import Synchronization
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct StoredAnswersTests {
    static func inbound(
        _ idempotency: SiloMethod.Idempotency = .once, source: SiloAddress = .control
    ) -> SiloInboundCall {
        SiloInboundCall(method: CallFixture.method(idempotency), source: source, idempotencyKey: "k")
    }

    final class Counter: Sendable {
        private let value = Mutex(0)
        var count: Int { value.withLock { $0 } }
        func next() -> Int { value.withLock { $0 += 1; return $0 } }
    }

    @Test func `the first call runs, the others get its answer, also after a restart`() async throws {
        try await SiloTests.withDatabase { database in
            let counter = Counter()
            for _ in 0..<3 {
                let answers = StoredAnswers(database)
                for _ in 0..<2 {
                    let answer = try await answers.answer(Self.inbound(), key: "k") { [UInt8(counter.next())] }
                    #expect(answer == [1])
                }
            }
            let answers = StoredAnswers(database)
            #expect(try await answers.answer(Self.inbound(), key: "other") { [9] } == [9])
            #expect(
                try await answers.answer(Self.inbound(source: CallFixture.us1), key: "k") { [8] } == [8],
                "of another silo")
            #expect(counter.count == 1)
        }
    }

    @Test func `a key is for one request`() async throws {
        try await SiloTests.withDatabase { database in
            let answers = StoredAnswers(database)
            _ = try await answers.answer(Self.inbound(), key: "k") { [1] }
            let error = await #expect(throws: SiloError.self) {
                try await answers.answer(Self.inbound(), key: "k", request: [2]) { [2] }
            }
            guard case .validation = error else { return #expect(Bool(false), "\(String(describing: error))") }
            for key in ["", String(repeating: "k", count: 49)] {
                await #expect(throws: SiloError.self) { try await answers.answer(Self.inbound(), key: key) { [1] } }
            }
        }
    }

    @Test func `a call that failed left nothing, and is run again`() async throws {
        try await SiloTests.withDatabase { database in
            let answers = StoredAnswers(database)
            await #expect(throws: SiloError.notFound("x")) {
                try await answers.answer(Self.inbound(), key: "k") { throw SiloError.notFound("x") }
            }
            let answer = try await answers.answer(Self.inbound(), key: "k") { [1] }
            #expect(answer == [1])
        }
    }

    @Test func `the second call of a key waits for the first`() async throws {
        try await SiloTests.withDatabase { database in
            let answers = StoredAnswers(database)
            _ = try await answers.answer(Self.inbound(), key: "k") {
                let error = await #expect(throws: RPCError.self) {
                    try await answers.answer(Self.inbound(), key: "k") { [2] }
                }
                #expect(error?.code == .aborted && error?.retryPushback != nil)
                return [1]
            }
        }
    }

    @Test func `a call that was cancelled before its end left nothing either`() async throws {
        try await SiloTests.withDatabase { database in
            let answers = StoredAnswers(database)
            let task = Task {
                try await answers.answer(Self.inbound(), key: "k") {
                    withUnsafeCurrentTask { $0?.cancel() }
                    try Task.checkCancellation()
                    return [1]
                }
            }
            await #expect(throws: CancellationError.self) { try await task.value }
            let again = try await answers.answer(Self.inbound(), key: "k") { [2] }
            #expect(again == [2])
        }
    }

    /// What a process that died in the middle has left.
    static func crash(_ database: Database, confirms: Bool, answer: [UInt8]? = nil) async throws {
        try await database.write { _ = try $0.execute("DELETE FROM silo_answers") }
        let answers = StoredAnswers(database)
        let stopped = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            try await answers.answer(inbound(), key: "k") {
                if confirms {
                    try await database.write { try AnswerClaim.current?.confirm(in: $0, answer: answer) }
                }
                stopped.continuation.finish()
                try await Task.sleep(for: .seconds(600))
                return [1]
            }
        }
        for await _ in stopped.stream {}
        // The row as it is now stays: the release of a cancelled call is undone.
        let row = try await database.read { try $0.row("SELECT state, owner FROM silo_answers") }
        task.cancel()
        _ = try? await task.value
        let (state, owner) = (try #require(try row?.text("state")), try #require(try row?.text("owner")))
        let hash = SHA256.digest([1])
        try await database.write { transaction in
            try transaction.execute("DELETE FROM silo_answers")
            try transaction.execute(
                """
                INSERT INTO silo_answers (source, method, call_key, request_hash, owner, state, answer, created_at)
                VALUES ('control', 'things.Do', 'k', ?, ?, ?, ?, ?)
                """,
                [
                    .blob(hash), .text(owner), .text(state), answer.map { .blob($0) } ?? .null, .integer(EpochTime.now),
                ])
        }
    }

    @Test func `after a crash: once is never run again, idempotent is, unless it was confirmed`() async throws {
        try await SiloTests.withDatabase { database in
            try await Self.crash(database, confirms: false)
            await #expect(throws: SiloError.outcomeUnknown(method: "things.Do")) {
                try await StoredAnswers(database).answer(Self.inbound(.once), key: "k") { [2] }
            }
            #expect(try await StoredAnswers(database).answer(Self.inbound(.idempotent), key: "k") { [2] } == [2])
            try await Self.crash(database, confirms: true)
            await #expect(throws: SiloError.outcomeUnknown(method: "things.Do")) {
                try await StoredAnswers(database).answer(Self.inbound(.idempotent), key: "k") { [3] }
            }
            try await Self.crash(database, confirms: true, answer: [7])
            #expect(try await StoredAnswers(database).answer(Self.inbound(.once), key: "k") { [3] } == [7])
        }
    }

    @Test func `answers are kept for their time, and only as large as allowed`() async throws {
        try await SiloTests.withDatabase { database in
            var answers = StoredAnswers(database)
            answers.maximumAnswerByteCount = 1
            let large = try await answers.answer(Self.inbound(), key: "k") { [1, 2] }
            #expect(large == [1, 2])
            await #expect(throws: SiloError.outcomeUnknown(method: "things.Do")) {
                try await answers.answer(Self.inbound(), key: "k") { [3] }
            }
            answers.age = .seconds(-1)
            let later = try await answers.answer(Self.inbound(), key: "k") { [4] }
            #expect(later == [4])
        }
    }
}

extension StoredAnswers {
    fileprivate func answer(
        _ call: SiloInboundCall, key: String, _ produce: @Sendable () async throws -> [UInt8]
    ) async throws -> [UInt8] {
        try await answer(call, key: key, request: [1], produce)
    }
}
