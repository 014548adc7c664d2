import RPC

/// The served side of a silo service: an RPC service whose methods check that they run in the right place. Generated.
public protocol SiloServiceDispatch: RPCService {
    /// Every method of the service, in the order of the .proto.
    var siloMethods: [SiloMethod] { get }
}
