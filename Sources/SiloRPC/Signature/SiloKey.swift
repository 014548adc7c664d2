import Foundation
import ServiceContextModule

/// One shared secret between two silos, for one direction: `source` signs with it, `audience` verifies.
///
/// The binding is what keeps a cell from signing as control, and what was signed for one cell from being valid at
/// another one. A key between two cells cannot be made: cells never call each other.
public final class SiloKey: Sendable, CustomStringConvertible {
    /// 1 to 64 characters of `A-Z a-z 0-9 . _ -`; travels in the header.
    public let id: String
    public let source: SiloAddress
    public let audience: SiloAddress
    let mac: HMACSHA256
    let idBytes: [UInt8]
    /// Who signs with it.
    let peer: SiloPeer
    /// The peer alone, for calls that carry nothing else: made once, not for each call.
    let peerContext: ServiceContext

    /// Fewest bytes of a secret.
    public static let minimumSecretByteCount = 32

    /// - Throws: ``SiloKeyError``: invalid id, short secret, source and audience that do not call each other.
    public init(id: String, source: SiloAddress, audience: SiloAddress, secret: [UInt8]) throws(SiloKeyError) {
        guard Self.isID(id.utf8) else {
            throw SiloKeyError(
                "a key's id has 1 to 64 characters of A-Z a-z 0-9 . _ -; this is not one: \"\(id.prefix(64))\"")
        }
        guard secret.count >= Self.minimumSecretByteCount else {
            throw SiloKeyError(
                "the secret of key \(id) has \(secret.count) bytes; it needs \(Self.minimumSecretByteCount) at least")
        }
        guard (source == .control) != (audience == .control) else {
            throw SiloKeyError(
                "key \(id) goes from \(source) to \(audience): one of the two must be control, cells never call "
                    + "each other"
            )
        }
        self.id = id
        self.source = source
        self.audience = audience
        mac = HMACSHA256(key: secret)
        idBytes = Array(id.utf8)
        peer = SiloPeer(source: source, keyID: id)
        var context = ServiceContext.topLevel
        context[SiloPeerKey.self] = peer
        peerContext = context
    }

    /// Equal for equal secrets, and says nothing else of them. Not kept: what is kept can be shown.
    var secretMark: [UInt8] { mac.code(Array("which secret".utf8)).withBytes { Array($0) } }

    static func isID(_ bytes: some Collection<UInt8>) -> Bool {
        (1...64).contains(bytes.count)
            && bytes.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: byte == UInt8(ascii: ".") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "-")
                }
            }
    }

    public var description: String { "key \(id) (\(source) to \(audience))" }
}

/// What is wrong with the configured keys. Never holds a secret.
public struct SiloKeyError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}

extension SiloKey {
    /// Reads a secret's file: its bytes without white space at the ends.
    ///
    /// - Throws: ``SiloKeyError``: it cannot be read, or others than its owner may read it.
    static func secret(file: String) throws(SiloKeyError) -> [UInt8] {
        let attributes = try? FileManager.default.attributesOfItem(atPath: file)
        guard let attributes, let data = FileManager.default.contents(atPath: file) else {
            throw SiloKeyError("the secret's file \(file) cannot be read: \(FileProblem.reason(file))")
        }
        let mode = (attributes[.posixPermissions] as? NSNumber)?.intValue ?? 0
        guard mode & 0o077 == 0 else {
            throw SiloKeyError(
                "the secret's file \(file) can be read by others (mode \(String(mode, radix: 8))): chmod 600 it")
        }
        let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
        return Array(data.drop(while: isSpace).reversed().drop(while: isSpace).reversed())
    }
}
