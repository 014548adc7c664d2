// sources: Sources/Compression Tests/CompressionTests/FuzzChecks

/// Entry point of libFuzzer; a failed check ends the process, which keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    if let problem = CompressionChecks.decompression(UnsafeRawBufferPointer(start: start, count: count)) {
        fatalError(problem)
    }
    return 0
}
