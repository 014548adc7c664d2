/// Policy around a transport: what the delegates call.
public struct SiloCaller: Sendable {
    private let transport: any SiloTransport

    public init(transport: any SiloTransport) {
        self.transport = transport
    }

    /// - Returns: the encoded response message.
    public func call(_ call: SiloCall) async throws -> [UInt8] {
        try await transport.send(call)
    }
}
