import ArgumentParser
import HTTPTransport
import RPC

extension RPCChannel.Configuration {
    /// Of the commands that call a server: `--address` and `--api-key`, wherever they came from.
    ///
    /// - Parameter address: any form of `ConnectionTarget`.
    init(address: String, apiKey: String?, wire: RPCChannel.Wire = .grpc) throws {
        do {
            self.init(target: try ConnectionTarget(address), wire: wire)
        } catch {
            throw ValidationError("--address must look like http://HOST:PORT, https://HOST:PORT or unix:PATH: \(error)")
        }
        if let apiKey, !metadata.add("x-api-key", apiKey) {
            throw ValidationError("the API key holds characters that a header cannot carry")
        }
    }
}
