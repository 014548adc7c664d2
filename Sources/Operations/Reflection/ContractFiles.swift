import FrameCodec
import RPC

/// The .proto files behind a server's services, and where each name is declared.
public struct ContractFiles: Sendable {
    /// Every file once, imported ones before their importers.
    public let files: [FileDescriptor]
    /// Full names of the services, sorted.
    public let serviceNames: [String]
    private let byName: [String: FileDescriptor]
    /// Places in `files`: there are thousands of names.
    private let bySymbol: [String: Int]
    private let byExtension: [DescriptorSymbols.Extension: Int]

    /// - Parameters:
    ///   - services: a service without a descriptor is listed by name and has no file.
    ///   - additional: files of messages that no service mentions, such as error details.
    /// - Throws: `WireError` when a descriptor is broken.
    public init(_ services: [any RPCService], additional: [FileDescriptor] = []) throws {
        var files: [FileDescriptor] = []
        var byName: [String: FileDescriptor] = [:]
        for file in services.compactMap(\.fileDescriptor) + additional { Self.add(file, to: &files, &byName) }
        var bySymbol: [String: Int] = [:]
        var byExtension: [DescriptorSymbols.Extension: Int] = [:]
        for (place, file) in files.enumerated() {
            let symbols = try DescriptorSymbols(file: file.serializedBytes)
            for name in symbols.names { bySymbol[name] = place }
            for found in symbols.extensions { byExtension[found] = place }
        }
        self.files = files
        self.byName = byName
        self.bySymbol = bySymbol
        self.byExtension = byExtension
        serviceNames = Set(services.flatMap { $0.methods.map(\.descriptor.service) }).sorted()
    }

    private static func add(
        _ file: FileDescriptor, to files: inout [FileDescriptor], _ byName: inout [String: FileDescriptor]
    ) {
        guard byName[file.name] == nil else { return }
        byName[file.name] = file
        for dependency in file.dependencies { add(dependency, to: &files, &byName) }
        files.append(file)
    }

    func file(named name: String) -> FileDescriptor? { byName[name] }

    /// - Parameter symbol: full name without a leading dot.
    func file(declaring symbol: String) -> FileDescriptor? { bySymbol[symbol].map { files[$0] } }

    func file(extending type: String, number: Int32) -> FileDescriptor? {
        byExtension[DescriptorSymbols.Extension(type: type, number: number)].map { files[$0] }
    }

    func extensionNumbers(of type: String) -> [Int32] {
        byExtension.keys.filter { $0.type == type }.map(\.number).sorted()
    }

    /// All files as one serialised `google.protobuf.FileDescriptorSet`: what `protoc --include_imports
    /// --descriptor_set_out` writes.
    public var descriptorSet: [UInt8] {
        var bytes: [UInt8] = []
        for file in files {
            // Field 1, length-delimited.
            bytes.append(0x0A)
            var length = UInt64(file.serializedBytes.count)
            while length >= 0x80 {
                bytes.append(UInt8(truncatingIfNeeded: length) | 0x80)
                length >>= 7
            }
            bytes.append(UInt8(truncatingIfNeeded: length))
            bytes += file.serializedBytes
        }
        return bytes
    }
}
