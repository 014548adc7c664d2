/// Base64 of a stream that is flushed now and then (gRPC-Web text, rules W12 and W13).
///
/// Up to two bytes wait for the rest of their group of three; ``flush(into:)`` pads them out, so that the
/// peer sees everything written so far. A flush may come at any time and need not align with frames.
public struct Base64StreamEncoder: Sendable {
    private var carry: (UInt8, UInt8) = (0, 0)
    private var carryCount = 0

    public init() {}

    /// Appends the characters of all complete groups to `output`.
    public mutating func encode(_ input: UnsafeRawBufferPointer, into output: inout [UInt8]) {
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: Base64.encodedByteCount(input.count + carryCount)))
        let written = output.withUnsafeMutableBytes { memory in
            encode(input, into: UnsafeMutableRawBufferPointer(rebasing: memory[start...]))
        }
        output.removeLast(output.count - start - written)
    }

    /// Writes the characters of all complete groups into the front of `output` and returns their number.
    ///
    /// `output` must have room for `Base64.encodedByteCount(input.count + 2)` bytes.
    public mutating func encode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) -> Int {
        var input = input
        var written = 0
        if carryCount > 0 {
            while carryCount < 3, let byte = input.first {
                if carryCount == 2 {
                    withUnsafeBytes(of: (carry.0, carry.1, byte)) {
                        Base64Tables.encodeGroups(1, from: $0, into: output)
                    }
                    written = 4
                } else {
                    carry.1 = byte
                }
                carryCount += 1
                input = UnsafeRawBufferPointer(rebasing: input.dropFirst())
            }
            guard carryCount == 3 else { return 0 }
            carryCount = 0
        }
        let groups = input.count / 3
        Base64Tables.encodeGroups(
            groups, from: input, into: UnsafeMutableRawBufferPointer(rebasing: output[written...]))
        let rest = input[(groups * 3)...]
        if let byte = rest.first { carry.0 = byte }
        if rest.count > 1, let byte = rest.last { carry.1 = byte }
        carryCount = rest.count
        return written + groups * 4
    }

    /// Appends what waits, padded; nothing when no bytes wait.
    public mutating func flush(into output: inout [UInt8]) {
        guard carryCount > 0 else { return }
        let tail = withUnsafeBytes(of: carry) {
            Base64.encode(UnsafeRawBufferPointer(rebasing: $0[..<carryCount]))
        }
        output.append(contentsOf: tail)
        carryCount = 0
    }
}
