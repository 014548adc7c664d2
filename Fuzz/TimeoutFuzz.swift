// sources: Sources/FrameCodec/Text/PercentCoding.swift Sources/FrameCodec/Text/GRPCTimeout.swift
// sources: Sources/FrameCodec/Wire/ByteAccess.swift
// sources: Tests/FrameCodecTests/FuzzChecks/TextChecks.swift

/// Entry point of libFuzzer; a failed check ends the process, which keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let problem = TextChecks.timeout(UnsafeRawBufferPointer(start: start, count: count)) {
        fatalError(problem)
    }
    return 0
}
