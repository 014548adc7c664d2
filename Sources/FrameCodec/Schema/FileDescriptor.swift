/// One .proto file as reflection and tools want it. Generated code has one for each file, as a static property
/// named after the file's path: `google/protobuf/any.proto` is `FileDescriptor.googleProtobufAny`.
public struct FileDescriptor: Sendable, Hashable {
    /// Path of the file as its importers write it.
    public let name: String
    /// The files it imports, in that order.
    public let dependencies: [FileDescriptor]
    /// The file as a serialised `google.protobuf.FileDescriptorProto`, without comments and positions.
    public let serializedBytes: [UInt8]

    public init(name: String, dependencies: [FileDescriptor] = [], serializedBytes: [UInt8]) {
        self.name = name
        self.dependencies = dependencies
        self.serializedBytes = serializedBytes
    }

    /// For generated code, whose text is about a third smaller this way than as a list of numbers.
    public init(name: String, dependencies: [FileDescriptor] = [], base64: StaticString) {
        let text = UnsafeRawBufferPointer(start: base64.utf8Start, count: base64.utf8CodeUnitCount)
        self.init(
            name: name, dependencies: dependencies, serializedBytes: Base64.decode([UInt8](text)) ?? [])
    }
}
