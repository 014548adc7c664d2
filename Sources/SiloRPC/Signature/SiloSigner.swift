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
        try sign(&head, body: body, nonce: .random())
    }

    func sign(_ head: inout HTTPRequestHead, body: ByteBuffer, nonce: Silo1Nonce) throws(SiloKeyError) {
        guard let key = keyring.signingKey(to: destination) else {
            throw SiloKeyError("\(keyring.address) has no key for calls to \(destination)")
        }
        let bodyHash = body.withUnsafeReadableBytes { SHA256.sum($0) }
        let time = now()
        let isSigned = withUnsafeTemporaryAllocation(byteCount: Silo1Header.maximumByteCount, alignment: 8) { memory in
            let value = key.idBytes.withUnsafeBytes { keyID in
                Silo1Fields.of(head) { fields in
                    Silo1Header.write(into: memory, keyID: keyID, time: time, nonce: nonce, fields: fields) { names in
                        let message = Silo1Message(
                            keyID: keyID, time: time, nonce: nonce, names: names, fields: fields, bodyHash: bodyHash)
                        return key.mac.code { message.write(to: &$0) }
                    }
                }
            }
            guard let value else { return false }
            head.fields.append(.authorization, raw: value)
            return true
        }
        guard isSigned else {
            throw SiloKeyError(
                "the names of the request's x-silo- fields do not fit into a signature of "
                    + "\(Silo1Header.maximumByteCount) bytes")
        }
    }
}
