/// The comments of a .proto file, by the path of the element they belong to.
struct Comments {
    private var byPath: [[Int32]: String] = [:]

    init(_ file: Descriptors.FileDescriptorProto) {
        for location in file.sourceCodeInfo?.location ?? [] {
            let leading = Self.clean(location.leadingComments ?? "")
            let comment = leading.isEmpty ? Self.clean(location.trailingComments ?? "") : leading
            if !comment.isEmpty { byPath[location.path] = comment }
        }
    }

    subscript(path: [Int32]) -> String { byPath[path] ?? "" }

    /// Drops the blank after `//`, white space at line ends, and blank lines at both ends.
    private static func clean(_ comment: String) -> String {
        var lines = comment.split(separator: "\n", omittingEmptySubsequences: false).map { line in
            var line = line.first == " " ? line.dropFirst() : line
            while line.last?.isWhitespace == true { line = line.dropLast() }
            return String(line)
        }
        while lines.first?.isEmpty == true { lines.removeFirst() }
        while lines.last?.isEmpty == true { lines.removeLast() }
        // Lint directives are for tools that read the .proto.
        return lines.filter { !$0.hasPrefix("buf:lint:") }.joined(separator: "\n")
    }
}

/// Field numbers in descriptor.proto that make up the paths.
enum DescriptorPath {
    static let fileMessage: Int32 = 4
    static let fileEnum: Int32 = 5
    static let fileService: Int32 = 6
    static let messageField: Int32 = 2
    static let messageNested: Int32 = 3
    static let messageEnum: Int32 = 4
    static let messageOneof: Int32 = 8
    static let enumValue: Int32 = 2
    static let serviceMethod: Int32 = 2

    /// The positions in a path, without the field numbers between them.
    static func positions(_ path: [Int32]) -> String {
        stride(from: 1, to: path.count, by: 2).map { "\(path[$0])" }.joined(separator: ", ")
    }
}
