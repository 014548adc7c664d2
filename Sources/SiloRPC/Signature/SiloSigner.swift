import HTTPTransport
import NIOCore
import RPC

/// Signs the requests of one silo to one other silo. Source: the Silo1 scheme, see ``Silo1Message``.
public struct SiloSigner: RequestSigner {
    private let keyring: SiloKeyring
    private let destination: SiloAddress
    private let now: @Sendable () -> Int64

    /// - Parameter now: milliseconds since 1970 UTC.
    public init(
        keyring: SiloKeyring, destination: SiloAddress, now: @escaping @Sendable () -> Int64 = { EpochTime.now }
    ) {
        self.keyring = keyring
        self.destination = destination
        self.now = now
    }

    /// Adds `authorization`. Call it last: the fields that are there now are the ones that are signed.
    ///
    /// - Throws: ``SiloKeyError`` when there is no key for this destination.
    public func sign(_ head: inout HTTPRequestHead, body: ByteBuffer) throws {
        try sign(&head, body: body, nonce: SecureRandom.short(Silo1Header.nonceByteCount))
    }

    func sign(_ head: inout HTTPRequestHead, body: ByteBuffer, nonce: [UInt8]) throws(SiloKeyError) {
        guard let key = keyring.signingKey(to: destination) else {
            throw SiloKeyError("\(keyring.address) has no key for calls to \(destination)")
        }
        var header = Silo1Header(
            keyID: key.id, time: now(), nonce: nonce, signedFields: Silo1Message.fieldsToSign(head.fields))
        let hash = body.withUnsafeReadableBytes { SHA256.digest($0) }
        header.signature = key.mac.code(Silo1Message.bytes(header, head, bodyHash: hash))
        head.fields.append(.authorization, bytes: header.bytes)
    }
}
