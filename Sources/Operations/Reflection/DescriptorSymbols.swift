import FrameCodec

/// What one serialised `google.protobuf.FileDescriptorProto` declares: full names, and the extensions.
///
/// Reads only the fields that carry names; their numbers are those of `google/protobuf/descriptor.proto`.
struct DescriptorSymbols {
    struct Extension: Hashable {
        /// Full name of the extended message, without a leading dot.
        let type: String
        let number: Int32
    }

    private(set) var names: [String] = []
    private(set) var extensions: [Extension] = []

    /// - Throws: `WireError` when the bytes are no descriptor.
    init(file bytes: [UInt8]) throws {
        let file = try Record(bytes)
        let package = file.text(2)
        for message in try file.records(4) { try add(message: message, in: package) }
        for enumeration in try file.records(5) { try add(enumeration: enumeration, in: package) }
        for service in try file.records(6) {
            let name = add(service, in: package)
            for method in try service.records(2) { add(method, in: name) }
        }
        for field in try file.records(7) { add(extension: field, in: package) }
    }

    private mutating func add(message: Record, in scope: String) throws {
        let name = add(message, in: scope)
        for field in try message.records(2) { add(field, in: name) }
        for oneof in try message.records(8) { add(oneof, in: name) }
        for field in try message.records(6) { add(extension: field, in: name) }
        for enumeration in try message.records(4) { try add(enumeration: enumeration, in: name) }
        // As deep as the contract nests its messages.
        for nested in try message.records(3) { try add(message: nested, in: name) }
    }

    /// An enum's values stand beside it, not inside (protobuf follows C++ here).
    private mutating func add(enumeration: Record, in scope: String) throws {
        add(enumeration, in: scope)
        for value in try enumeration.records(2) { add(value, in: scope) }
    }

    private mutating func add(extension field: Record, in scope: String) {
        add(field, in: scope)
        var type = Substring(field.text(2))
        if type.hasPrefix(".") { type = type.dropFirst() }
        extensions.append(Extension(type: String(type), number: Int32(truncatingIfNeeded: field.number(3))))
    }

    @discardableResult
    private mutating func add(_ record: Record, in scope: String) -> String {
        let name = scope.isEmpty ? record.text(1) : "\(scope).\(record.text(1))"
        names.append(name)
        return name
    }

    /// A message whose fields are looked up by number.
    private struct Record {
        private var texts: [(number: UInt32, bytes: [UInt8])] = []
        private var numbers: [UInt32: UInt64] = [:]

        init(_ bytes: [UInt8]) throws {
            var unknown = UnknownFields()
            self = try bytes.withUnsafeBytes { memory throws -> Record in
                var record = Record()
                var reader = WireReader(memory)
                while let tag = try reader.nextTag() {
                    switch tag & 7 {
                    case 0: record.numbers[tag >> 3] = try reader.readVarint()
                    case 2: record.texts.append((tag >> 3, Array(try reader.readLengthDelimited())))
                    default: try reader.readUnknown(tag, into: &unknown)
                    }
                }
                return record
            }
        }

        private init() {}

        func text(_ number: UInt32) -> String {
            texts.last { $0.number == number }.map { String(decoding: $0.bytes, as: UTF8.self) } ?? ""
        }

        func number(_ number: UInt32) -> UInt64 { numbers[number] ?? 0 }

        func records(_ number: UInt32) throws -> [Record] {
            var records: [Record] = []
            for text in texts where text.number == number { records.append(try Record(text.bytes)) }
            return records
        }
    }
}
