@testable import HTTPTransport

/// What must hold for any bytes whatever from an HTTP peer. Called by the fuzz targets in `Fuzz/` and by the test that
/// replays their corpus; each check gives nil, or the text of what went wrong.
enum HTTPFuzzChecks {
    /// By the name of the target, which is also the name of its corpus folder.
    static let all: [(name: String, check: @Sendable (UnsafeRawBufferPointer) -> String?)] = [
        ("HTTP1Request", { HTTP1Check.run($0, .request) }),
        ("HTTP1Response", { HTTP1Check.run($0, .response) }),
        ("HTTP2Server", { HTTP2Script(role: .server).run($0) }),
        ("HTTP2Client", { HTTP2Script(role: .client).run($0) }),
    ]
}
