/// A content coding, by the name that HTTP (`content-encoding`) and gRPC (`grpc-encoding`) give it.
///
/// | name | format | source |
/// |---|---|---|
/// | `gzip` | gzip members | RFC 1952 |
/// | `deflate` | the zlib format; raw deflate is read too, because some senders mean that | RFC 1950, RFC 9110 8.4.1.2
/// |
/// | `zstd` | zstd frames, window of 8 MiB at most | RFC 8878, RFC 9659 |
public struct CompressionAlgorithm: Sendable, Hashable, CustomStringConvertible {
    enum Kind: UInt8, Sendable { case gzip, deflate, zstd }

    let kind: Kind

    public static let gzip = CompressionAlgorithm(kind: .gzip)
    public static let deflate = CompressionAlgorithm(kind: .deflate)
    public static let zstd = CompressionAlgorithm(kind: .zstd)

    /// Every algorithm, the most widely known first.
    public static let all: [CompressionAlgorithm] = [.gzip, .deflate, .zstd]

    /// The name on the wire, lower case.
    public var name: String {
        switch kind {
        case .gzip: "gzip"
        case .deflate: "deflate"
        case .zstd: "zstd"
        }
    }

    /// - Returns: nil for a name that is none of ``all``, `identity` included. Case does not matter (RFC 9110 8.4.1).
    public init?(name: String) {
        let name = name.lowercased()
        guard let known = Self.all.first(where: { $0.name == name }) else { return nil }
        self = known
    }

    private init(kind: Kind) {
        self.kind = kind
    }

    public var description: String { name }
}
