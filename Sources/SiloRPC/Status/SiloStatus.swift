import Foundation
import HTTPTransport
import RPC

/// What a silo says of itself to another one: for checks before and after a deployment.
public struct SiloStatus: Sendable, Hashable, Codable {
    public static let path = "/silo/status"

    /// As ``SiloAddress/description``.
    public var silo: String
    public var version: String
    /// Milliseconds since 1970 UTC.
    public var time: Int64
    /// Ids of the keys that it verifies with.
    public var verifyingKeys: [String]
    /// `service.Method` of every method that it serves to silos.
    public var methods: [String]

    /// The route by which a silo answers.
    public static func route(
        keyring: SiloKeyring, verifier: SiloVerifier, methods: [SiloMethod], version: String
    ) -> HTTPRoute {
        SignedRoute.make(.get, path, verifier: verifier) { _, _ in
            let status = SiloStatus(
                silo: "\(keyring.address)", version: version, time: EpochTime.now, verifyingKeys: keyring.verifyingIDs,
                methods: methods.map(\.key).sorted())
            return Array(try JSONEncoder().encode(status))
        }
    }
}

/// Another silo as seen from here.
public struct SiloObservation: Sendable {
    public let status: SiloStatus
    /// Its clock minus ours, give or take half of ``roundTrip``.
    public let clockOffset: Duration
    public let roundTrip: Duration
}

extension SiloHTTPClient {
    /// Asks a silo how it is.
    ///
    /// - Throws: as ``request(_:_:to:fields:body:)``; ``SiloError/refused(by:_:)`` when it does not take the signature;
    ///   ``SiloError/unavailable(_:_:retryAfter:)`` when the answer is something else.
    public func observe(_ silo: SiloAddress) async throws -> SiloObservation {
        let start = ContinuousClock.now
        let sent = EpochTime.now
        let response = try await request(.get, SiloStatus.path, to: silo)
        let body = try await response.body.collect()
        let roundTrip = ContinuousClock.now - start
        let text = String(decoding: body.readableBytesView.prefix(512), as: UTF8.self)
        guard response.status != 401 else { throw SiloError.refused(by: silo, text) }
        guard response.status == 200,
            let status = try? JSONDecoder().decode(SiloStatus.self, from: Data(body.readableBytesView))
        else {
            throw SiloError.unavailable(
                silo, "it answered \(response.status), which is no status of a silo", retryAfter: nil)
        }
        let middle = Duration.milliseconds(sent) + roundTrip / 2
        return SiloObservation(status: status, clockOffset: .milliseconds(status.time) - middle, roundTrip: roundTrip)
    }
}
