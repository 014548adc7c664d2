import FrameCodec

/// What must hold for any bytes whatever. Called by the fuzz targets in `Fuzz/` and by the test that replays
/// their corpus; each check gives nil, or the text of what went wrong.
enum FuzzChecks {
    /// By the name of the target, which is also the name of its corpus folder.
    static let all: [(name: String, check: @Sendable (UnsafeRawBufferPointer) -> String?)] = [
        ("FrameReader", frameReader), ("TextDecoder", textDecoder), ("TrailerBlock", trailerBlock),
        ("ProtobufReader", protobufReader), ("JSON", json), ("PercentCoding", TextChecks.percentCoding),
        ("Timeout", TextChecks.timeout)
    ]

    /// Frames come out the same however the bytes arrive, and a frame written again is the frame that was
    /// read.
    static func frameReader(_ bytes: UnsafeRawBufferPointer) -> String? {
        let reader = FrameReader(maximumPayloadByteCount: 64, allowedFlags: [.compressed, .trailers])
        var whole: [FrameSlice] = []
        var consumed = 0
        do {
            while let slice = try reader.next(UnsafeRawBufferPointer(rebasing: bytes[consumed...])) {
                if slice.consumed > bytes.count - consumed { return "a frame reaches beyond the input" }
                let header = FrameHeader(flags: slice.flags, payloadByteCount: UInt32(slice.payload.count))
                    .bytes
                if !header.elementsEqual(bytes[consumed..<consumed + 5]) {
                    return "the header does not come back"
                }
                whole.append(slice)
                consumed += slice.consumed
            }
            try reader.finish(UnsafeRawBufferPointer(rebasing: bytes[consumed...]))
        } catch {
            return pieces(bytes, reader) == whole ? nil : "frames before an error depend on how bytes arrive"
        }
        return pieces(bytes, reader) == whole ? nil : "frames depend on how bytes arrive"
    }

    /// The frames seen when the buffer grows by one byte at a time.
    private static func pieces(_ bytes: UnsafeRawBufferPointer, _ reader: FrameReader) -> [FrameSlice] {
        var slices: [FrameSlice] = []
        var start = 0
        for end in 0...bytes.count {
            guard let slice = try? reader.next(UnsafeRawBufferPointer(rebasing: bytes[start..<end])) else {
                continue
            }
            slices.append(slice)
            start += slice.consumed
        }
        return slices
    }

    /// Text decodes the same in one piece, byte by byte and in two pieces; what decodes survives a round
    /// trip.
    static func textDecoder(_ bytes: UnsafeRawBufferPointer) -> String? {
        let whole = decoded([bytes])
        let single = decoded(bytes.indices.map { UnsafeRawBufferPointer(rebasing: bytes[$0..<$0 + 1]) })
        let middle = bytes.count / 2
        let halves = decoded([
            UnsafeRawBufferPointer(rebasing: bytes[..<middle]),
            UnsafeRawBufferPointer(rebasing: bytes[middle...])
        ])
        guard whole == single, whole == halves else { return "text depends on how bytes arrive" }
        if let one = Base64.decode(bytes), one != whole {
            return "the one-shot decoder disagrees with the stream"
        }
        var encoder = Base64StreamEncoder()
        var text: [UInt8] = []
        encoder.encode(UnsafeRawBufferPointer(rebasing: bytes[..<middle]), into: &text)
        encoder.encode(UnsafeRawBufferPointer(rebasing: bytes[middle...]), into: &text)
        encoder.flush(into: &text)
        guard text == Base64.encode(bytes) else {
            return "the stream encoder disagrees with the one-shot encoder"
        }
        guard let back = Base64.decode(text), back.elementsEqual(bytes) else {
            return "encoding does not come back"
        }
        return nil
    }

    private static func decoded(_ pieces: [UnsafeRawBufferPointer]) -> [UInt8]? {
        var decoder = Base64StreamDecoder()
        var output: [UInt8] = []
        do {
            for piece in pieces { try decoder.decode(piece, into: &output) }
            try decoder.finish(into: &output)
        } catch {
            return nil
        }
        return output
    }

    /// A block that was read and written again reads the same.
    static func trailerBlock(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let fields = try? TrailerBlock.decode(bytes) else { return nil }
        var dropped = 0
        let block = TrailerBlock.encode(fields, droppedFieldCount: &dropped)
        guard dropped == 0 else { return "a field that was read is refused when written" }
        guard let again = try? TrailerBlock.decode(block, maximumByteCount: .max) else {
            return "the block is unreadable"
        }
        let same = again.elementsEqual(fields) { $0.name == $1.name && $0.value == $1.value }
        return same ? nil : "fields do not come back"
    }

    /// decode -> encode -> decode -> encode gives the same bytes, of the announced size. A view takes the same
    /// bytes as decoding and has the same message.
    static func protobufReader(_ bytes: UnsafeRawBufferPointer) -> String? {
        let view = try? MessageView<AllKinds>(serializedBytes: [UInt8](bytes))
        guard let message = try? AllKinds(serializedBytes: bytes) else {
            return view == nil ? nil : "a view takes what decoding refuses"
        }
        guard let view else { return "a view refuses what decoding takes" }
        let seen = view.message.serializedBytes(deterministic: true)
        guard seen == message.serializedBytes(deterministic: true) else {
            return "a view has another message"
        }
        let first = message.serializedBytes(deterministic: true)
        guard first.count == message.encodedByteCount else { return "the size pass disagrees" }
        guard let again = try? AllKinds(serializedBytes: first) else { return "written bytes cannot be read" }
        guard again.serializedBytes(deterministic: true) == first else { return "bytes do not come back" }
        guard again.serializedBytes().count == first.count else {
            return "the order of map entries changes the size"
        }
        if message.debugDescription.isEmpty { return "no description" }
        if let json = try? message.jsonBytes(), (try? AllKinds(jsonBytes: json)) == nil, !isDeep(message) {
            return "written JSON cannot be read"
        }
        return nil
    }

    /// JSON has a budget of 100 levels for objects and arrays together; binary counts messages only.
    private static func isDeep(_ message: AllKinds) -> Bool {
        guard let json = try? message.jsonBytes() else { return true }
        return (try? AllKinds(jsonBytes: json, options: JSONDecodingOptions(maximumDepth: 300))) != nil
    }

    /// JSON -> message -> JSON -> message gives the same message.
    static func json(_ bytes: UnsafeRawBufferPointer) -> String? {
        guard let message = try? AllKinds(jsonBytes: bytes) else { return nil }
        let expected = message.serializedBytes(deterministic: true)
        do {
            let again = try AllKinds(jsonBytes: try message.jsonBytes())
            guard again.serializedBytes(deterministic: true) == expected else {
                return "JSON does not come back"
            }
            let options = JSONEncodingOptions(
                emitsDefaultValues: true, usesOriginalNames: true, isPretty: true)
            let pretty = try AllKinds(jsonBytes: try message.jsonBytes(options: options))
            return pretty.serializedBytes(deterministic: true) == expected
                ? nil : "pretty JSON does not come back"
        } catch {
            return "JSON that was read cannot be written and read again: \(error)"
        }
    }
}
