import Foundation
import RPC
import Storage
import Testing

@testable import SiloRPC

@Suite(.timeLimit(.minutes(5))) struct SiloTests {
    static func withDatabase(_ body: (Database) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "/silo-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        try await body(try Database.open(path: folder + "/data.sqlite", migrations: SiloSchema.migrations))
    }

    static func metadata(_ name: String, _ values: String...) -> Metadata {
        var metadata = Metadata()
        for value in values { metadata.add(name, value) }
        return metadata
    }

    @Test func organizationsAreAddedFoundAndRemoved() async throws {
        try await Self.withDatabase { database in
            let store = OrganizationStore(database)
            let one = try await store.create(slug: "one")
            let two = try await store.create(slug: "a-2")
            #expect(try await store.list() == [one, two])
            #expect(try await store.find(slug: "a-2") == two)
            #expect(try await store.find(id: one.id) == one)
            #expect(try await store.find(slug: "none") == nil)
            let taken = await #expect(throws: SiloError.self) { try await store.create(slug: "one") }
            #expect(taken?.isExisting == true)
            for slug in ["", "-a", "a-", "A", "a b", "é", String(repeating: "a", count: 65)] {
                let error = await #expect(throws: SiloError.self) { try await store.create(slug: slug) }
                #expect(error?.isInvalid == true)
            }
            let key = try await APIKeyStore(database).create(organizationID: one.id).key
            await #expect(throws: SiloError.self) { try await store.remove(id: one.id) }
            try await APIKeyStore(database).remove(id: key.id)
            try await store.remove(id: one.id)
            let gone = await #expect(throws: SiloError.self) { try await store.remove(id: one.id) }
            #expect(gone?.isNotFound == true)
        }
    }

    @Test func keysAreStoredAsHashesOnly() async throws {
        try await Self.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            let store = APIKeyStore(database)
            let (key, text) = try await store.create(
                organizationID: organization.id, name: "ci", scopes: [.read, .issues])
            #expect(text.hasPrefix("scm_") && text.count == 47)
            #expect(
                text.dropFirst(4).allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "-" || $0 == "_") })
            #expect(key.prefix == String(text.prefix(8)))
            #expect(key.scopes == [.read, .issues])
            #expect(try await store.find(text: text) == key)
            let row = try await database.read { try $0.row("SELECT * FROM api_keys") }
            #expect(try row?.blob("hash") == SHA256.digest(Array(text.utf8)))
            #expect(!"\(String(describing: row))".contains(text))
            try database.close()
            for suffix in ["", "-wal"] {
                let data = (try? Data(contentsOf: URL(fileURLWithPath: database.path + suffix))) ?? Data()
                #expect(data.range(of: Data(text.utf8)) == nil)
            }
        }
    }

    @Test func keysCanBeImportedWhenTheyAreFit() async throws {
        try await Self.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            let store = APIKeyStore(database)
            let text = "twenty-characters-ok"
            #expect(try await store.create(organizationID: organization.id, text: text).text == text)
            let again = await #expect(throws: SiloError.self) {
                try await store.create(organizationID: organization.id, text: text)
            }
            #expect(again?.isExisting == true)
            for bad in [
                "nineteen-characters", "with a space in the middle", "é-long-enough-but-not-ascii",
                String(repeating: "a", count: 257)
            ] {
                await #expect(throws: SiloError.self) {
                    try await store.create(organizationID: organization.id, text: bad)
                }
            }
            let missing = await #expect(throws: SiloError.self) { try await store.create(organizationID: 99) }
            #expect(missing?.isNotFound == true)
        }
    }

    @Test func knownKeysPassAndOthersDoNot() async throws {
        try await Self.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            let store = APIKeyStore(database)
            let (key, text) = try await store.create(organizationID: organization.id, scopes: [.read])
            let interceptor = APIKeyInterceptor(keys: store)
            let expected = Principal(organizationID: organization.id, keyID: key.id, scopes: [.read])
            for metadata in [
                Self.metadata("x-api-key", text), Self.metadata("authorization", "Bearer \(text)"),
                Self.metadata("authorization", "bearer  \(text)"),
            ] {
                #expect(try await interceptor.principal(of: metadata) == expected)
            }
            for metadata in [
                Metadata(), Self.metadata("x-api-key", ""), Self.metadata("x-api-key", text + "x"),
                Self.metadata("authorization", text), Self.metadata("authorization", "Basic \(text)"),
                Self.metadata("authorization", "Bearer"), Self.metadata("x-api-key", text, text),
            ] {
                let error = await #expect(throws: RPCError.self) { try await interceptor.principal(of: metadata) }
                #expect(error?.code == .unauthenticated)
                #expect(error?.detail(GoogleRPC.ErrorInfo.self)?.reason == "UNAUTHENTICATED")
            }
            // A server that has not seen the key refuses it as soon as it is revoked.
            try await store.revoke(id: key.id)
            await #expect(throws: RPCError.self) {
                try await APIKeyInterceptor(keys: store).principal(of: Self.metadata("x-api-key", text))
            }
            #expect(try await store.list(organizationID: organization.id).first?.isActive == false)
            await #expect(throws: SiloError.self) { try await store.revoke(id: 99) }
        }
    }

    @Test func verifiedKeysExpireAndStayBounded() {
        let keys = VerifiedKeys()
        let now = ContinuousClock.now
        let principal = Principal(organizationID: 1, keyID: 1, scopes: [])
        let (good, bad) = (KnownKey([1], principal), KnownKey([2], nil))
        func known(_ key: [UInt8], at time: ContinuousClock.Instant) -> KnownKey? {
            key.withUnsafeBytes { keys.known($0, at: time) }
        }
        keys.remember(good, until: now + .seconds(50), age: keys.age)
        keys.remember(bad, until: now + .seconds(10), age: keys.age)
        #expect(known([1], at: now) === good)
        #expect(known([2], at: now) === bad)
        for other in [[3], [1, 0], []] as [[UInt8]] { #expect(known(other, at: now) == nil) }
        #expect(known([1], at: now + .seconds(50)) == nil)
        // The same key again takes the place of what was known.
        let revoked = KnownKey([1], nil)
        keys.remember(revoked, until: now + .seconds(50), age: keys.age)
        #expect(known([1], at: now) === revoked)
        keys.remember(good, until: now + .seconds(50), age: keys.age)
        let maximum = VerifiedKeys.ways * VerifiedKeys.setCount
        for index in 0..<(4 * maximum) {
            keys.remember(KnownKey(Array("wrong\(index)".utf8), nil), until: now + .seconds(50), age: keys.age)
        }
        #expect(keys.count <= maximum)
        #expect(known([1], at: now) === good, "wrong keys push no right one out")
        for index in 0..<(4 * maximum) {
            keys.remember(KnownKey(Array("right\(index)".utf8), principal), until: now + .seconds(60), age: keys.age)
        }
        #expect(keys.count == maximum)
    }

    @Test func useIsNotedOncePerHour() async throws {
        try await Self.withDatabase { database in
            let organization = try await OrganizationStore(database).create(slug: "one")
            let store = APIKeyStore(database)
            let (key, text) = try await store.create(organizationID: organization.id)
            #expect(APIKeyStore.isUseDue(key, now: 0))
            try await store.noteUse(key, now: 10_000_000)
            let used = try #require(try await store.find(text: text))
            #expect(used.lastUsedAt == 10_000_000)
            #expect(!APIKeyStore.isUseDue(used, now: 10_000_000 + 3_599_999))
            #expect(APIKeyStore.isUseDue(used, now: 10_000_000 + 3_600_000))
        }
    }
}
