import FrameCodec
import HTTPTransport

@testable import RPC

/// The input is used as the value of a `-bin` field, as bytes to send in one, and as a name with a value.
enum MetadataCheck {
    static func run(_ bytes: UnsafeRawBufferPointer) -> String? {
        received(bytes) ?? sent(Array(bytes)) ?? named(bytes)
    }

    /// A received value gives as many byte strings as it has valid parts between commas.
    private static func received(_ bytes: UnsafeRawBufferPointer) -> String? {
        var fields = HTTPFields()
        "x-bin".utf8.withContiguousStorageIfAvailable { fields.append(name: UnsafeRawBufferPointer($0), value: bytes) }
        let values = Metadata(fields: fields).binaryValues("x-bin")
        let parts = bytes.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false).count
        if values.count > parts { return "more values than parts" }
        for value in values where Base64.decode(Base64.encode(value)) != value { return "a value does not come back" }
        return nil
    }

    /// Bytes come back, also when an intermediary joins two values, and whether the padding is there or not.
    private static func sent(_ bytes: [UInt8]) -> String? {
        var metadata = Metadata()
        guard metadata.add("x-bin", bytes: bytes), metadata.binaryValues("x-bin") == [bytes] else {
            return "bytes do not come back"
        }
        var joined = HTTPFields()
        let text = Base64.encode(bytes, padded: true) + Array(", ".utf8) + Base64.encode(bytes, padded: false)
        "x-bin".utf8.withContiguousStorageIfAvailable { name in
            text.withUnsafeBytes { joined.append(name: UnsafeRawBufferPointer(name), value: $0) }
        }
        return Metadata(fields: joined).binaryValues("x-bin") == [bytes, bytes]
            ? nil : "joined values do not come back"
    }

    /// A pair that is taken is not reserved, cannot forge a line, and comes back.
    private static func named(_ bytes: UnsafeRawBufferPointer) -> String? {
        let parts = bytes.split(separator: 0x3A, maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2 else { return nil }
        let name = String(decoding: parts[0], as: UTF8.self)
        let value = String(decoding: parts[1], as: UTF8.self)
        var metadata = Metadata()
        guard metadata.add(name, value) else { return metadata.isEmpty ? nil : "a refused pair was added" }
        if name.lowercased().hasPrefix("grpc-") || name.hasPrefix(":") { return "a reserved name was taken" }
        if value.utf8.contains(where: { $0 < 0x20 || $0 > 0x7E }) { return "a control byte was taken" }
        return metadata.values(name) == [value] ? nil : "a pair does not come back"
    }
}
