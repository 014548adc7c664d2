import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// Errors of the socket layer in words.
enum ErrorText {
    static func describe(_ error: any Error) -> String {
        switch error {
        case let error as IOError: ofSystem(error.errnoCode)
        case let error as NIOConnectionError:
            error.connectionErrors.first.map { describe($0.error) } ?? "\(error.dnsAError ?? error)"
        case ChannelError.connectTimeout(let limit):
            "no answer within \(Double(limit.nanoseconds) / 1e9) s (HTTPClientConfiguration.connectTimeout)"
        case let error as HTTPConnectionError: error.description
        case let error as TLSError: "TLS: \(error.description)"
        default: "\(error)"
        }
    }

    /// The system's words for an `errno`.
    static func ofSystem(_ code: CInt) -> String {
        var buffer: [256 of CChar] = .init(repeating: 0)
        return withUnsafeMutableBytes(of: &buffer) { memory in
            let pointer = memory.assumingMemoryBound(to: CChar.self)
            guard let base = pointer.baseAddress, strerror_r(code, base, pointer.count) == 0 else {
                return "errno \(code)"
            }
            return String(cString: base)
        }
    }
}
