// sources: Sources/FrameCodec/Text/Base64.swift Sources/FrameCodec/Text/Base64Tables.swift Sources/HTTPTransport/Fields
// sources: Sources/RPC/Call/Metadata.swift Tests/RPCTests/FuzzChecks

/// Entry point of libFuzzer; a failed check ends the process, which keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let problem = MetadataCheck.run(UnsafeRawBufferPointer(start: start, count: count)) {
        fatalError(problem)
    }
    return 0
}
