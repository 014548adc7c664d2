// sources: Sources/HTTPTransport/Engine Sources/HTTPTransport/HTTP1 Sources/HTTPTransport/Fields
// sources: Sources/HTTPTransport/Message Sources/HTTPTransport/Configuration/HTTPLimits.swift
// sources: Sources/HTTPTransport/Configuration/HTTPTimeouts.swift Sources/HTTPTransport/Configuration/LimitNames.swift
// sources: Tests/HTTPTransportTests/FuzzChecks

/// Entry point of libFuzzer; a failed check ends the process, which keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = UnsafeRawBufferPointer(start: start, count: count)
    if let problem = HTTP2Script(role: .server).run(bytes) { fatalError(problem) }
    return 0
}
