// Fuzzing compiles these sources alone.
#if canImport(CBase64)
    import CBase64
#endif

/// The inner loops of base64 and their tables.
///
/// Encoding is left to vector instructions where there are some (`CBase64`); elsewhere it looks up 12 bits at a
/// time (two characters). Decoding looks up each character in a table that already has its bits in place, so four
/// look-ups and three ORs make three bytes.
enum Base64Tables {
    /// A decode entry with this bit is not a symbol of the alphabet.
    static let invalid: UInt32 = 0x8000_0000

    private static let alphabet = [UInt8](
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8
    )

    /// 4096 pairs of characters, in memory order.
    private static let encodePairs: [UInt16] = (0..<4096).map { bits in
        UInt16(littleEndian: UInt16(alphabet[bits >> 6]) | UInt16(alphabet[bits & 63]) << 8)
    }

    /// Four tables of 256: the bits of the 1st, 2nd, 3rd and 4th character of a group, as bytes in memory
    /// order.
    static let decodeStandard = decodeTable(extra: [])
    /// As ``decodeStandard``, and `-` and `_` are symbols too.
    static let decodeEither = decodeTable(extra: [(UInt8(ascii: "-"), 62), (UInt8(ascii: "_"), 63)])

    private static func decodeTable(extra: [(symbol: UInt8, value: UInt32)]) -> [UInt32] {
        var table = [UInt32](repeating: invalid, count: 4 * 256)
        let symbols = alphabet.enumerated().map { (symbol: $1, value: UInt32($0)) } + extra
        for (symbol, value) in symbols {
            let index = Int(symbol)
            table[index] = value << 2
            table[256 + index] = value >> 4 | (value & 15) << 12
            table[512 + index] = (value >> 2) << 8 | (value & 3) << 22
            table[768 + index] = value << 16
        }
        return table
    }

    /// Encodes `groups` times three bytes from the front of `input` into the front of `output`.
    static func encodeGroups(
        _ groups: Int, from input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) {
        precondition(
            groups * 3 <= input.count && groups * 4 <= output.count, "base64 needs 4 bytes for each 3")
        guard groups > 0, let source = input.baseAddress, let target = output.baseAddress else { return }
        let done = encodeVectors(groups, from: source, into: target)
        encodePairs.withUnsafeBufferPointer { pairs in
            guard let pair = pairs.baseAddress else { return }
            var read = source + done * 3
            var write = target + done * 4
            // Six bytes a turn through one 8-byte load; the last turns go byte by byte to stay inside the
            // input.
            var left = groups - done
            while left >= 3 {
                let bits = UInt64(bigEndian: read.loadUnaligned(as: UInt64.self))
                let first = UInt64(pair[Int(bits >> 52)]) | UInt64(pair[Int(bits >> 40) & 0xFFF]) << 16
                let second =
                    UInt64(pair[Int(bits >> 28) & 0xFFF]) | UInt64(pair[Int(bits >> 16) & 0xFFF]) << 16
                write.storeBytes(of: (first | second << 32).littleEndian, as: UInt64.self)
                read += 6
                write += 8
                left -= 2
            }
            while left > 0 {
                let bits =
                    Int(read.load(as: UInt8.self)) << 16
                    | Int(read.load(fromByteOffset: 1, as: UInt8.self)) << 8
                    | Int(read.load(fromByteOffset: 2, as: UInt8.self))
                write.storeBytes(of: pair[bits >> 12], as: UInt16.self)
                write.storeBytes(of: pair[bits & 0xFFF], toByteOffset: 2, as: UInt16.self)
                read += 3
                write += 4
                left -= 1
            }
        }
    }

    /// How many of the groups, from the first one on, vector instructions have encoded.
    private static func encodeVectors(
        _ groups: Int, from source: UnsafeRawPointer, into target: UnsafeMutableRawPointer
    ) -> Int {
        #if canImport(CBase64)
            let input = source.assumingMemoryBound(to: UInt8.self)
            let output = target.assumingMemoryBound(to: UInt8.self)
            return framecodec_base64_encode(input, groups, output)
        #else
            return 0
        #endif
    }

    /// Encodes the last one or two bytes of a value and returns how many characters that took.
    static func encodeTail(
        _ tail: UnsafeRawBufferPointer, padded: Bool, into output: UnsafeMutableRawBufferPointer,
        at offset: Int
    ) -> Int {
        guard !tail.isEmpty else { return 0 }
        let first = tail[0]
        let second = tail.count > 1 ? tail[1] : 0
        output[offset] = alphabet[Int(first >> 2)]
        output[offset + 1] = alphabet[Int((first & 3) << 4 | second >> 4)]
        var count = 2
        if tail.count > 1 {
            output[offset + 2] = alphabet[Int((second & 15) << 2)]
            count = 3
        }
        while padded, count < 4 {
            output[offset + count] = UInt8(ascii: "=")
            count += 1
        }
        return count
    }

    /// Decodes up to `groups` times four characters and returns how many groups were valid before the first
    /// bad one.
    ///
    /// `output` needs one byte more than three for each group: each group is stored as four bytes.
    static func decodeGroups(
        _ groups: Int, from input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer,
        table: [UInt32]
    ) -> Int {
        precondition(groups * 4 <= input.count && groups * 3 + 1 <= output.count, "base64 output too small")
        guard groups > 0, let source = input.baseAddress, let target = output.baseAddress else { return 0 }
        return table.withUnsafeBufferPointer { entries in
            guard let entry = entries.baseAddress, entries.count == 1024 else { return 0 }
            var group = 0
            // Two groups a turn through one load and one store of eight bytes, the last two of which the next turn
            // overwrites. A bad symbol is left to the loop below, which finds its group.
            while groups &- group >= 3 {
                let symbols = UInt64(
                    littleEndian: source.loadUnaligned(fromByteOffset: group &* 4, as: UInt64.self))
                let first = bits(entry, UInt32(truncatingIfNeeded: symbols))
                let second = bits(entry, UInt32(truncatingIfNeeded: symbols >> 32))
                guard (first | second) & invalid == 0 else { break }
                let six = UInt64(first) | UInt64(second) << 24
                target.storeBytes(of: six.littleEndian, toByteOffset: group &* 3, as: UInt64.self)
                group &+= 2
            }
            while group < groups {
                let symbols = UInt32(
                    littleEndian: source.loadUnaligned(fromByteOffset: group &* 4, as: UInt32.self))
                let three = bits(entry, symbols)
                guard three & invalid == 0 else { return group }
                target.storeBytes(of: three.littleEndian, toByteOffset: group &* 3, as: UInt32.self)
                group &+= 1
            }
            return groups
        }
    }

    /// The three bytes of four symbols, or ``invalid``.
    @inline(__always)
    private static func bits(_ entry: UnsafePointer<UInt32>, _ symbols: UInt32) -> UInt32 {
        entry[Int(symbols & 0xFF)] | entry[256 + Int(symbols >> 8 & 0xFF)]
            | entry[512 + Int(symbols >> 16 & 0xFF)] | entry[768 + Int(symbols >> 24)]
    }

    /// Decodes the two or three characters of an unfinished group; nil when one is not a symbol.
    static func decodeTail(
        _ tail: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, at offset: Int,
        table: [UInt32]
    ) -> Int? {
        var bits: UInt32 = 0
        for (position, symbol) in tail.enumerated() { bits |= table[position * 256 + Int(symbol)] }
        guard bits & invalid == 0 else { return nil }
        for index in 0..<(tail.count - 1) {
            output[offset + index] = UInt8(truncatingIfNeeded: bits >> UInt32(8 * index))
        }
        return tail.count - 1
    }
}
