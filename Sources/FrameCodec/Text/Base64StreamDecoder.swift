/// Why a base64 text stream was refused.
public struct Base64Error: Error, Sendable, Equatable, CustomStringConvertible {
    private enum Reason: Sendable, Equatable {
        case invalidByte(UInt8)
        case misplacedPadding
        case danglingSymbol
    }

    private let reason: Reason
    /// Position of the offending byte in the whole stream.
    public let offset: Int

    static func invalidByte(_ byte: UInt8, at offset: Int) -> Base64Error {
        Base64Error(reason: .invalidByte(byte), offset: offset)
    }
    static func misplacedPadding(at offset: Int) -> Base64Error {
        Base64Error(reason: .misplacedPadding, offset: offset)
    }
    static func danglingSymbol(at offset: Int) -> Base64Error {
        Base64Error(reason: .danglingSymbol, offset: offset)
    }

    public var description: String {
        switch reason {
        case .invalidByte(let byte): "byte 0x\(String(byte, radix: 16)) at \(offset) is not a base64 symbol"
        case .misplacedPadding: "base64 padding at byte \(offset) is out of place"
        case .danglingSymbol:
            "base64 text ends at byte \(offset) with a single symbol, which cannot make a byte"
        }
    }
}

/// Decodes a base64 text stream that arrives in pieces of any size (rule W12).
///
/// The text is a concatenation of independently padded chunks. The decoder works on groups of four symbols;
/// `=` ends a group and the next byte starts a new one.
///
/// ```
///   symbols in the group:   0 --s--> 1 --s--> 2 --s--> 3 --s--> 0   (three bytes out)
///                           | =      | =      | =      | =
///                         error    error   "one more" |+--> 0        (two bytes out)
///                                              | =
///                                              +--------> 0          (one byte out)
///   any other byte: error.   End of input at 0, 2, 3: fine; at 1: error.
/// ```
public struct Base64StreamDecoder: Sendable {
    private var symbols: (UInt8, UInt8, UInt8, UInt8) = (0, 0, 0, 0)
    private var symbolCount = 0
    /// A `XX=` was read and its second `=` is due.
    private var expectsPadding = false
    private var offset = 0

    public init() {}

    /// Decodes the next piece and appends the bytes of all complete groups to `output`.
    ///
    /// - Throws: ``Base64Error``; the decoder must not be used any further then.
    public mutating func decode(_ input: UnsafeRawBufferPointer, into output: inout [UInt8])
        throws(Base64Error)
    {
        let start = output.count
        output.append(contentsOf: repeatElement(0, count: Base64.maximumDecodedByteCount(input.count)))
        let result = output.withUnsafeMutableBytes { memory in
            Result { () throws(Base64Error) in
                try decode(input, into: UnsafeMutableRawBufferPointer(rebasing: memory[start...]))
            }
        }
        let written = (try? result.get()) ?? 0
        output.removeLast(output.count - start - written)
        if case .failure(let error) = result { throw error }
    }

    /// Decodes the next piece into the front of `output` and returns the number of bytes written.
    ///
    /// `output` must have room for `Base64.maximumDecodedByteCount(input.count)` bytes; it may be the memory
    /// of `input` itself only when nothing of `input` is needed afterwards and no group is pending.
    public mutating func decode(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(Base64Error) -> Int {
        precondition(output.count >= Base64.maximumDecodedByteCount(input.count), "base64 output too small")
        var read = 0
        var written = 0
        while read < input.count {
            if symbolCount == 0, !expectsPadding {
                let groups = Base64Tables.decodeGroups(
                    (input.count - read) / 4,
                    from: UnsafeRawBufferPointer(rebasing: input[read...]),
                    into: UnsafeMutableRawBufferPointer(rebasing: output[written...]),
                    table: Base64Tables.decodeStandard
                )
                read += groups * 4
                written += groups * 3
                guard read < input.count else { break }
            }
            written += try consume(input[read], at: offset + read, into: output, writeOffset: written)
            read += 1
        }
        offset += input.count
        return written
    }

    /// Ends the stream: two or three leftover symbols make one or two bytes although their padding is
    /// missing.
    ///
    /// - Throws: ``Base64Error`` for one leftover symbol.
    public mutating func finish(into output: inout [UInt8]) throws(Base64Error) {
        defer { self = Base64StreamDecoder() }
        guard symbolCount != 1 else { throw .danglingSymbol(at: offset) }
        guard symbolCount > 1 else { return }
        var bytes: (UInt8, UInt8, UInt8) = (0, 0, 0)
        let count = withUnsafeMutableBytes(of: &bytes) { emit(into: $0, at: 0) }
        output.append(bytes.0)
        if count > 1 { output.append(bytes.1) }
    }

    /// Takes one byte through the state machine and returns the number of bytes it completed.
    private mutating func consume(
        _ byte: UInt8, at position: Int, into output: UnsafeMutableRawBufferPointer, writeOffset: Int
    ) throws(Base64Error) -> Int {
        if byte == UInt8(ascii: "=") {
            if expectsPadding {
                expectsPadding = false
                return 0
            }
            guard symbolCount >= 2 else { throw .misplacedPadding(at: position) }
            expectsPadding = symbolCount == 2
            return emit(into: output, at: writeOffset)
        }
        guard Base64Tables.decodeStandard[Int(byte)] & Base64Tables.invalid == 0 else {
            throw .invalidByte(byte, at: position)
        }
        guard !expectsPadding else { throw .misplacedPadding(at: position) }
        withUnsafeMutableBytes(of: &symbols) { $0[symbolCount] = byte }
        symbolCount += 1
        return symbolCount == 4 ? emit(into: output, at: writeOffset) : 0
    }

    /// Writes the bytes of the pending symbols and starts a new group.
    private mutating func emit(into output: UnsafeMutableRawBufferPointer, at writeOffset: Int) -> Int {
        let count = symbolCount
        symbolCount = 0
        return withUnsafeBytes(of: symbols) { pending in
            let tail = UnsafeRawBufferPointer(rebasing: pending[..<count])
            // Every pending symbol was checked when it came in, so the table always knows them.
            return Base64Tables.decodeTail(
                tail, into: output, at: writeOffset, table: Base64Tables.decodeStandard) ?? 0
        }
    }
}
