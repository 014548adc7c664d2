import RPC

extension RPCChannel.Wire {
    /// Every protocol, codec and HTTP version that goes together.
    static let everything =
        allCases + [
            connectHTTP1, connectHTTP2, RPCChannel.Wire(.grpc, codec: .json),
            RPCChannel.Wire(.grpcWeb, codec: .json, over: .http1),
            RPCChannel.Wire(.grpcWebText, codec: .json), RPCChannel.Wire(.connect, codec: .json, over: .http1),
            RPCChannel.Wire(.connect, codec: .json),
        ]
}
