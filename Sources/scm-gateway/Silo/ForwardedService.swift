import FrameCodec
import RPC
import ScmAPI

/// ScmService as control has it: listed by health and reflection, served by the routes that lead to the cells.
struct ForwardedService: RPCService {
    /// Never registered: the routes come first, and control's RPC server does not know these methods.
    var methods: [RPCMethod] {
        ScmServiceMethod.all.map { method in
            RPCMethod(method) { _, _ in throw RPCError(.unimplemented, "\(method.path) is served by the cells") }
        }
    }

    var fileDescriptor: FileDescriptor? { GatewayServer.contract }
}
