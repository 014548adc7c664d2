/// Base64 of whole values: RFC 4648 section 4, read also with the alphabet of section 5 where asked for.
///
/// Streams of gRPC-Web text use ``Base64StreamEncoder`` and ``Base64StreamDecoder``.
public enum Base64 {
    /// Characters that `byteCount` bytes take, with padding.
    @inlinable
    public static func encodedByteCount(_ byteCount: Int) -> Int { (byteCount + 2) / 3 * 4 }

    /// Room that any `symbolCount` characters need at most when decoded; a few bytes more than the exact
    /// size.
    @inlinable
    public static func maximumDecodedByteCount(_ symbolCount: Int) -> Int { symbolCount / 4 * 3 + 6 }

    /// Encodes a whole value.
    public static func encode(_ bytes: UnsafeRawBufferPointer, padded: Bool = true) -> [UInt8] {
        guard !bytes.isEmpty else { return [] }
        return [UInt8](unsafeUninitializedCapacity: encodedByteCount(bytes.count)) { memory, count in
            count = encode(bytes, into: UnsafeMutableRawBufferPointer(memory), padded: padded)
        }
    }

    /// Encodes a whole value into `output`, which has room for ``encodedByteCount(_:)``; returns the characters.
    package static func encode(
        _ bytes: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, padded: Bool = true
    ) -> Int {
        let groups = bytes.count / 3
        Base64Tables.encodeGroups(groups, from: bytes, into: output)
        let rest = UnsafeRawBufferPointer(rebasing: bytes[(groups * 3)...])
        return groups * 4 + Base64Tables.encodeTail(rest, padded: padded, into: output, at: groups * 4)
    }

    /// Encodes a whole value.
    public static func encode(_ bytes: [UInt8], padded: Bool = true) -> [UInt8] {
        bytes.withUnsafeBytes { encode($0, padded: padded) }
    }

    /// Decodes a whole value, with or without padding; nil when it is not base64.
    ///
    /// - Parameter acceptsURLSafeAlphabet: read `-` and `_` as `+` and `/` (proto-JSON wants this).
    public static func decode(_ symbols: UnsafeRawBufferPointer, acceptsURLSafeAlphabet: Bool = false)
        -> [UInt8]?
    {
        let body = UnsafeRawBufferPointer(rebasing: symbols[..<withoutPadding(symbols)])
        let padding = symbols.count - body.count
        let tail = body.count % 4
        guard tail != 1, padding == 0 || (padding + tail == 4) else { return nil }
        var valid = true
        let bytes = [UInt8](unsafeUninitializedCapacity: maximumDecodedByteCount(body.count)) {
            memory, count in
            let output = UnsafeMutableRawBufferPointer(memory)
            let table = acceptsURLSafeAlphabet ? Base64Tables.decodeEither : Base64Tables.decodeStandard
            let groups = body.count / 4
            valid = Base64Tables.decodeGroups(groups, from: body, into: output, table: table) == groups
            count = valid ? groups * 3 : 0
            guard valid, tail > 0 else { return }
            let rest = UnsafeRawBufferPointer(rebasing: body[(groups * 4)...])
            guard let written = Base64Tables.decodeTail(rest, into: output, at: count, table: table) else {
                valid = false
                return
            }
            count += written
        }
        return valid ? bytes : nil
    }

    /// Decodes a whole value, with or without padding; nil when it is not base64.
    public static func decode(_ symbols: [UInt8], acceptsURLSafeAlphabet: Bool = false) -> [UInt8]? {
        symbols.withUnsafeBytes { decode($0, acceptsURLSafeAlphabet: acceptsURLSafeAlphabet) }
    }

    /// Fills `output` with a value of exactly that size: unpadded, and in the one text that ``encode(_:into:padded:)``
    /// makes of it, without stray bits.
    ///
    /// - Returns: false when `symbols` are not such a text; `output` may have been written to.
    package static func decode(
        _ symbols: UnsafeRawBufferPointer, filling output: UnsafeMutableRawBufferPointer
    ) -> Bool {
        guard symbols.count == (output.count * 4 + 2) / 3 else { return false }
        return withUnsafeTemporaryAllocation(byteCount: symbols.count + 8, alignment: 8) { memory in
            let groups = symbols.count / 4
            let table = Base64Tables.decodeStandard
            guard Base64Tables.decodeGroups(groups, from: symbols, into: memory, table: table) == groups else {
                return false
            }
            output.copyMemory(from: UnsafeRawBufferPointer(rebasing: memory[..<min(groups * 3, output.count)]))
            let tail = UnsafeRawBufferPointer(rebasing: symbols[(groups * 4)...])
            return tail.isEmpty || decodeTail(tail, into: output, at: groups * 3, room: memory)
        }
    }

    /// Only the last symbol of an unfinished group has bits that say nothing: it must be what encoding makes of them.
    private static func decodeTail(
        _ tail: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer, at offset: Int,
        room: UnsafeMutableRawBufferPointer
    ) -> Bool {
        let table = Base64Tables.decodeStandard
        guard Base64Tables.decodeTail(tail, into: output, at: offset, table: table) != nil else { return false }
        let bytes = UnsafeRawBufferPointer(rebasing: output[offset...])
        let count = Base64Tables.encodeTail(bytes, padded: false, into: room, at: 0)
        return count == tail.count && room[count - 1] == tail[count - 1]
    }

    /// Length without one or two `=` at the end.
    private static func withoutPadding(_ symbols: UnsafeRawBufferPointer) -> Int {
        var count = symbols.count
        while count > 0, symbols.count - count < 2, symbols[count - 1] == UInt8(ascii: "=") { count -= 1 }
        return count
    }
}
