import Compression

/// What a server compresses, and what it takes.
///
/// Requests may use any of ``algorithms``. Answers are compressed only for clients that accept it, above a size, and
/// never for ``exemptMethods``: when a message holds a secret beside text that an attacker chooses, the size of the
/// compressed message tells the secret bit by bit (BREACH).
public struct CompressionPolicy: Sendable {
    /// When answers are compressed, for clients that accept it.
    public enum Responses: Sendable, Hashable {
        case never
        /// Only in calls whose request was compressed: that client has said that it finds it worth the time. A handler
        /// may ask for it too.
        case whenRequestIsCompressed
        /// Always.
        case whenAccepted
    }

    /// Accepted in requests, advertised in this order, and preferred for answers in this order. Empty for none.
    public var algorithms: [CompressionAlgorithm] = CompressionAlgorithm.all
    /// Default ``Responses/whenRequestIsCompressed``: compressing costs more time than most calls.
    public var responses = Responses.whenRequestIsCompressed
    /// Answers' messages below this many bytes stay as they are. Default 1024.
    public var minimumResponseByteCount = 1024
    /// Methods whose answers are never compressed, because they carry secrets.
    public var exemptMethods: Set<MethodDescriptor> = []
    /// Most times that a request message may grow beyond 4 MiB when it is decompressed. Default 100.
    public var maximumRatio = DecompressionLimits.defaultMaximumRatio

    public init() {}

    /// Value of `grpc-accept-encoding` and the like.
    var acceptedNames: String { (["identity"] + algorithms.map(\.name)).joined(separator: ", ") }
}
