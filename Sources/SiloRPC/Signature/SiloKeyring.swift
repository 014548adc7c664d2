import Synchronization

/// The keys of one silo: those it signs with and those it verifies with. Safe to use and to replace from any task.
///
/// For each pair of silos the first key signs and all verify. So a key is changed without a moment of refused calls:
///
/// ```
/// old         both sides have the old key
/// old, new    new one added behind, everywhere
/// new, old    order changed: the source signs with the new one
/// new         old one removed, everywhere
/// ```
public final class SiloKeyring: Sendable {
    private struct Keys {
        var verifying: [String: SiloKey] = [:]
        var signing: [SiloAddress: SiloKey] = [:]
        /// The one that verified last.
        var recent: SiloKey?
    }

    /// Whose keys these are.
    public let address: SiloAddress
    private let keys: Mutex<Keys>

    /// - Parameter keys: of this silo and others; only those with `address` at one end are kept.
    /// - Throws: ``SiloKeyError``: an id is there twice; pairs of silos share a secret; no key that anybody could call
    ///   this silo with, so that a silo never starts open.
    public init(address: SiloAddress, keys: [SiloKey]) throws(SiloKeyError) {
        self.address = address
        self.keys = Mutex(try Self.sort(keys, address))
    }

    /// Takes new keys; calls in progress go on. On an error everything stays as it was.
    public func replace(_ keys: [SiloKey]) throws(SiloKeyError) {
        let sorted = try Self.sort(keys, address)
        self.keys.withLock { $0 = sorted }
    }

    private static func sort(_ keys: [SiloKey], _ address: SiloAddress) throws(SiloKeyError) -> Keys {
        var sorted = Keys()
        var seen: Set<String> = []
        var owners: [[UInt8]: SiloKey] = [:]
        for key in keys {
            guard seen.insert(key.id).inserted else { throw SiloKeyError("two keys have the id \(key.id)") }
            // Whoever else knows the secret could sign as one of these two.
            if let other = owners.updateValue(key, forKey: key.secretMark),
                Set([key.source, key.audience]) != Set([other.source, other.audience])
            {
                throw SiloKeyError(
                    "keys \(other.id) and \(key.id) have the same secret; each pair of silos needs one of its own")
            }
            if key.audience == address { sorted.verifying[key.id] = key }
            if key.source == address, sorted.signing[key.audience] == nil { sorted.signing[key.audience] = key }
        }
        guard !sorted.verifying.isEmpty else {
            throw SiloKeyError("there is no key whose audience is \(address): nobody could call this silo")
        }
        return sorted
    }

    func verifyingKey(id: UnsafeRawBufferPointer) -> SiloKey? {
        keys.withLock { keys in
            // Calls come in runs of one caller's: nothing is made of its name and looked up.
            if let recent = keys.recent, recent.idBytes.withUnsafeBytes({ $0.isSame(as: id) }) { return recent }
            guard let key = keys.verifying[String(decoding: id, as: UTF8.self)] else { return nil }
            keys.recent = key
            return key
        }
    }

    /// The key for calls to `destination`; nil when there is none.
    func signingKey(to destination: SiloAddress) -> SiloKey? { keys.withLock { $0.signing[destination] } }

    /// Ids of the keys that verify, sorted.
    public var verifyingIDs: [String] { keys.withLock { $0.verifying.keys.sorted() } }

    /// Ids of the keys that sign, by destination.
    public var signingIDs: [SiloAddress: String] { keys.withLock { $0.signing.mapValues(\.id) } }

    /// Who can call this silo.
    public var sources: Set<SiloAddress> { keys.withLock { Set($0.verifying.values.map(\.source)) } }
}
