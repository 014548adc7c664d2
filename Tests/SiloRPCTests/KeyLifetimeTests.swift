import Foundation
import NIOCore
import RPC
import Storage
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct KeyLifetimeTests {
    static func withStore(_ body: (APIKeyStore, Organization, Database) async throws -> Void) async throws {
        try await SiloTests.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            try await body(APIKeyStore(database), organization, database)
        }
    }

    @Test func `what another process changes of a key is seen before the key is believed again`() async throws {
        try await SiloTests.withDatabase { database in
            // As the command line: the same file, opened by somebody else.
            let other = APIKeyStore(try Database.open(path: database.path, migrations: SiloSchema.migrations))
            let id = try await OrganizationStore(database).create(slug: "one").id
            let store = APIKeyStore(database)
            let made = try await [store.create(organizationID: id), store.create(organizationID: id)]
            let verified = VerifiedKeys()
            let watch = KeyChangeWatch(store, verified, interval: .seconds(3600))
            func isKnown(_ key: [UInt8]) -> Bool { key.withUnsafeBytes { verified.known($0, at: .now) != nil } }
            func remember() {
                for (index, made) in made.enumerated() {
                    let principal = Principal(organizationID: id, keyID: made.key.id, scopes: [])
                    verified.remember(
                        KnownKey([UInt8(index)], principal), until: .now + .seconds(3600), age: verified.age)
                }
                verified.remember(KnownKey([2], nil), until: .now + .seconds(3600), age: verified.age)
            }
            remember()
            #expect(!isKnown([0]), "nothing is believed before the first look")
            await watch.look()
            #expect(verified.count == 0, "what was remembered before it may be of before a change")
            remember()
            await watch.look()
            #expect([isKnown([0]), isKnown([1]), isKnown([2])] == [true, true, true])
            try await other.revoke(id: made[0].key.id)
            #expect(verified.isConfirmed(at: .now) && isKnown([0]), "within the interval nobody looks")
            await watch.look()
            #expect([isKnown([0]), isKnown([1]), isKnown([2])] == [false, true, false], "it may be the refused one")
            remember()
            try await other.noteUse(made[1].key, now: EpochTime.now)
            await watch.look()
            #expect(isKnown([1]), "a use is no change")
            verified.confirm(until: .now)
            #expect(!verified.isConfirmed(at: .now) && !isKnown([1]))
        }
    }

    @Test func `more changes than are told one by one are all`() async throws {
        try await SiloTests.withDatabase { database in
            let id = try await OrganizationStore(database).create(slug: "one").id
            let store = APIKeyStore(database)
            let made = try await store.create(organizationID: id)
            let start = try await store.changes(after: nil)
            #expect(start.keyIDs == nil)
            #expect(try await store.changes(after: start.place).keyIDs == [])
            try await database.write { transaction in
                for _ in 0..<Int(APIKeyChanges.maximumCount) {
                    try APIKeyChanges.note(id: made.key.id, organizationID: id, transaction)
                }
            }
            let many = try await store.changes(after: start.place)
            #expect(many.keyIDs == [made.key.id])
            try await store.expire(id: made.key.id, at: nil)
            #expect(try await store.changes(after: start.place).keyIDs == nil)
            #expect(try await store.changes(after: many.place).keyIDs == [made.key.id])
            var elsewhere = many.place
            elsewhere.epoch = "another"
            #expect(try await store.changes(after: elsewhere).keyIDs == nil)
        }
    }

    @Test func `a remembered key ends with the first call after the command line has revoked it`() async throws {
        try await SiloTests.withDatabase { database in
            let other = APIKeyStore(try Database.open(path: database.path, migrations: SiloSchema.migrations))
            let id = try await OrganizationStore(database).create(slug: "one").id
            let made = try await APIKeyStore(database).create(organizationID: id)
            // Every call looks.
            let keys = APIKeyInterceptor(keys: APIKeyStore(database), looksEvery: .zero)
            let metadata = SiloTests.metadata("x-api-key", made.text)
            #expect(try await keys.principal(of: metadata).keyID == made.key.id)
            try await other.revoke(id: made.key.id)
            await #expect(throws: RPCError.self) { try await keys.principal(of: metadata) }
        }
    }

    @Test func `many calls share one look, and a look that fails believes what is remembered`() async throws {
        try await SiloTests.withDatabase { database in
            let store = APIKeyStore(database)
            let verified = VerifiedKeys()
            let watch = KeyChangeWatch(store, verified, interval: .seconds(3600))
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<20 { group.addTask { await watch.look() } }
            }
            verified.remember(
                KnownKey([1], Principal(organizationID: 1, keyID: 1, scopes: [])), until: .now + .seconds(60),
                age: verified.age)
            verified.confirm(until: .now)
            try database.close()
            await watch.look()
            #expect(verified.count == 1 && verified.isConfirmed(at: .now))
        }
    }

    @Test func `a key is valid until it expires or is revoked`() async throws {
        try await Self.withStore { store, organization, _ in
            var new = NewAPIKey(organizationID: organization.id)
            new.expiresAt = EpochTime.now + 3_600_000
            let (key, text) = try await store.create(new)
            #expect(key.isValid(at: EpochTime.now) && !key.isValid(at: EpochTime.now + 3_600_001))
            let metadata = SiloTests.metadata("x-api-key", text)
            _ = try await APIKeyInterceptor(keys: store).principal(of: metadata)
            #expect(try await store.expire(id: key.id, at: 1).expiresAt == 1)
            await #expect(throws: RPCError.self) { try await APIKeyInterceptor(keys: store).principal(of: metadata) }
            #expect(try await store.expire(id: key.id, at: nil).isValid(at: .max))
            try await store.revoke(id: key.id)
            let late = await #expect(throws: SiloError.self) { try await store.expire(id: key.id, at: nil) }
            #expect(late?.isWrongState == true)
            #expect(try await store.list().first?.expiresAt == nil, "what throws changes nothing")
        }
    }

    @Test func `a rotated key hands everything but its text on`() async throws {
        try await Self.withStore { store, organization, _ in
            let (old, text) = try await store.create(
                NewAPIKey(organizationID: organization.id, name: "ci", scopes: [.read], callsPerMinute: 7)
            )
            let rotated = try await store.rotate(id: old.id, overlap: 1000)
            #expect(rotated.text != text)
            #expect(rotated.key.name == "ci" && rotated.key.scopes == [.read] && rotated.key.callsPerMinute == 7)
            #expect(rotated.key.replacesID == old.id && rotated.key.expiresAt == nil)
            #expect((rotated.old.expiresAt ?? 0) <= EpochTime.now + 1000)
            let again = try await store.rotate(id: rotated.key.id, overlap: 0)
            #expect(!again.old.isValid(at: EpochTime.now))
            let error = await #expect(throws: SiloError.self) { try await store.rotate(id: rotated.key.id, overlap: 0) }
            #expect(error?.isWrongState == true)
            let missing = await #expect(throws: SiloError.self) { try await store.rotate(id: 99, overlap: 0) }
            #expect(missing?.isNotFound == true)
        }
    }

    @Test func `a key's rate is a bucket of ten seconds`() {
        let buckets = TokenBuckets()
        let start = ContinuousClock.now
        for _ in 0..<10 { #expect(buckets.take(1, callsPerMinute: 60, now: start) == nil) }
        #expect(buckets.take(1, callsPerMinute: 60, now: start) == .seconds(1))
        #expect(buckets.take(2, callsPerMinute: 60, now: start) == nil, "another key is not touched")
        #expect(buckets.take(1, callsPerMinute: 60, now: start + .milliseconds(500)) == .milliseconds(500))
        #expect(buckets.take(1, callsPerMinute: 60, now: start + .seconds(1)) == nil)
        #expect(buckets.take(1, callsPerMinute: 60, now: start + .seconds(1)) != nil)
        // One call a minute: the first passes, then the bucket takes a minute to fill.
        #expect(buckets.take(3, callsPerMinute: 1, now: start) == nil)
        #expect(buckets.take(3, callsPerMinute: 1, now: start) == .seconds(60))
    }

    @Test func `buckets are bounded, whoever calls`() {
        let buckets = TokenBuckets()
        let start = ContinuousClock.now
        for key in 0..<Int64(2 * TokenBuckets.maximumCount) { _ = buckets.take(key, callsPerMinute: 60, now: start) }
        #expect(buckets.count <= TokenBuckets.maximumCount)
        _ = buckets.take(-1, callsPerMinute: 60, now: start + .seconds(11))
        #expect(buckets.count <= TokenBuckets.maximumCount)
    }

    @Test func `the principal's own rate wins over the server's`() throws {
        func context(_ rate: Int?) -> CallContext {
            var context = CallContext(method: MethodDescriptor(service: "a.B", method: "C", kind: .unary))
            context.serviceContext[PrincipalKey.self] = Principal(
                organizationID: 1, keyID: Int64(rate ?? 0), scopes: [], callsPerMinute: rate
            )
            return context
        }
        let interceptor = KeyRateInterceptor(callsPerMinute: 1)
        let now = ContinuousClock.now
        try interceptor.admit(context(nil), now: now)
        let error = #expect(throws: RPCError.self) { try interceptor.admit(context(nil), now: now) }
        #expect(error?.code == .resourceExhausted && error?.message.contains("callsPerMinute = 1") == true)
        #expect(error?.detail(GoogleRPC.RetryInfo.self)?.retryDelay?.seconds == 60)
        for _ in 0..<10 { try interceptor.admit(context(60), now: now) }
        // No principal: an open service.
        try interceptor.admit(
            CallContext(method: MethodDescriptor(service: "a.B", method: "C", kind: .unary)), now: now)
    }

    @Test func `the audit log keeps numbers, outcomes and the newest entries`() async throws {
        try await Self.withStore { _, organization, database in
            let log = AuditLog(database, retentionDays: 1)
            let first = try await log.begin(
                organizationID: organization.id, keyID: 7, method: "/a.B/C", subject: "id=1", peer: "::1")
            #expect(try await log.list(limit: 10).map(\.outcome) == [AuditLog.started])
            await log.end(first, outcome: "NOT_FOUND")
            _ = try await log.begin(organizationID: 2, method: "key add", subject: "", peer: "", outcome: "OK")
            #expect(try await log.list(limit: 10).map(\.outcome) == ["OK", "NOT_FOUND"])
            #expect(try await log.list(AuditFilter(organizationID: 2), limit: 10).count == 1)
            #expect(try await log.list(AuditFilter(keyID: 7), limit: 10).map(\.id) == [first])
            #expect(try await log.list(before: first, limit: 10).isEmpty)
            // Entries of long ago go with the next sweep.
            _ = try await database.write { try $0.execute("UPDATE audit_entries SET at = 1, id = id + 998") }
            _ = try await log.begin(organizationID: 2, method: "m", subject: "", peer: "", outcome: "OK")
            _ = try await log.begin(organizationID: 2, method: "m", subject: "", peer: "", outcome: "OK")
            #expect(try await log.list(limit: 10).allSatisfy { $0.at > 1 })
        }
    }

    @Test func `audit entries are found by method, outcome, subject, result and time`() async throws {
        try await Self.withStore { _, organization, database in
            let log = AuditLog(database)
            for (index, subject) in ["id=1", "id=12", "x=id=1", ""].enumerated() {
                let id = try await log.begin(
                    organizationID: organization.id, method: "/a.B/C\(index % 2)", subject: subject, peer: ""
                )
                await log.end(id, outcome: index == 0 ? "OK" : "NOT_FOUND", result: index == 3 ? "y=2 id=1" : "")
                _ = try await database.write { try $0.execute("UPDATE audit_entries SET at = ? WHERE id = ?",
                    [.integer(Int64(1000 * index)), .integer(id)]) }
            }
            func count(_ change: (inout AuditFilter) -> Void) async throws -> Int {
                var filter = AuditFilter()
                change(&filter)
                return try await log.list(filter, limit: 10).count
            }
            #expect(try await count { $0.method = "/C1" } == 2)
            #expect(try await count { $0.outcome = "NOT_FOUND" } == 3)
            #expect(try await count { $0.outcome = "NOT" } == 0)
            #expect(try await count { $0.subject = "id=1" } == 2)
            #expect(try await count { $0.subject = "%" } == 0)
            #expect(try await count { $0.since = 1000 } == 3)
            #expect(try await count { ($0.since, $0.until) = (1000, 3000) } == 2)
            #expect(try await count { ($0.method, $0.outcome) = ("C0", "OK") } == 1)
        }
    }

    @Test func `of an answer only ids are kept`() {
        let made = KeyAPI.CreateKeyResponse(
            key: KeyAPI.ApiKey(id: 7, organizationID: 3, name: "secret", use: .bearer, callsPerMinute: 9), text: "scm_x"
        )
        #expect(AnswerIDs.text(made) == "key.id=7 key.organizationId=3")
        let keys = KeyAPI.ListKeysResponse(keys: [KeyAPI.ApiKey(id: 7)], nextPageToken: "t")
        #expect(AnswerIDs.text(keys) == "")
        #expect(AnswerIDs.text(KeyAPI.AuditEntry(id: 1, requestID: "17")) == "id=1 requestId=17")
        #expect(AnswerIDs.text(KeyAPI.AuditEntry(requestID: "seventeen")) == "")
    }

    @Test func `of a request only its numbers are kept`() {
        let key = KeyAPI.CreateKeyRequest(organizationID: 3, name: "a secret", scopes: ["x"], callsPerMinute: 5)
        let bytes = ByteBuffer(bytes: key.serializedBytes())
        #expect(RequestNumbers.text(bytes, KeyAPI.CreateKeyRequest.self, .proto) == "organizationId=3 callsPerMinute=5")
        let json = ByteBuffer(string: #"{"keyId": "8", "expiresAt": "1970-01-01T00:00:09Z"}"#)
        #expect(RequestNumbers.text(json, KeyAPI.ExpireKeyRequest.self, .json) == "keyId=8 expiresAt.seconds=9")
        for broken in [[], [0xFF], [0x08], Array("{".utf8)] {
            #expect(RequestNumbers.text(ByteBuffer(bytes: broken), KeyAPI.ExpireKeyRequest.self, .proto) == "")
        }
    }
}
