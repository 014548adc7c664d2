/// A pair of roots: a stack path below `stack` is the repository's path below `source`.
struct MappingRoots: Sendable, Hashable {
    let stack: String
    let source: String

    init(stack: String, source: String) {
        self.stack = stack
        self.source = source
    }

    /// The shortest useful roots that turn `raw` into `file`.
    ///
    /// - Parameters:
    ///   - package: folders that belong together on both sides; nil takes the path's first.
    /// - Throws: ``FrameSkip/rootsMismatch``: no roots do.
    init(raw: String, file: String, package: String? = nil) throws(FrameSkip) {
        let found = Self.find(raw: raw, file: file, package: package)
        guard let found, found.path(of: raw) == file else { throw .rootsMismatch }
        self = found
    }

    /// `path` with its stack root replaced, in the repository's form; nil when it does not begin with that.
    func path(of path: String) -> String? {
        guard path.utf8.starts(with: stack.utf8) else { return nil }
        return FramePath.slashes(source + String(decoding: path.utf8.dropFirst(stack.utf8.count), as: UTF8.self))
    }

    private static func find(raw: String, file: String, package: String?) -> MappingRoots? {
        let lead = raw.first.flatMap { $0 == "/" || $0 == "\\" ? String($0) : nil } ?? ""
        let path = String(raw.dropFirst(lead.count))
        if path == file { return MappingRoots(stack: lead, source: "") }
        if let prefix = removingSuffix(path, from: file) {
            guard path.contains("/") else { return MappingRoots(stack: lead, source: prefix) }
            let shared = "\(package ?? String(path.prefix { $0 != "/" }))/"
            return MappingRoots(stack: lead + shared, source: prefix + shared)
        }
        if let prefix = removingSuffix(file, from: path) { return MappingRoots(stack: lead + prefix, source: "") }
        return overlap(lead: lead, path: path, file: file)
    }

    /// Drops folders off the path's front until the file ends with the rest.
    private static func overlap(lead: String, path: String, file: String) -> MappingRoots? {
        let delimiter = path.contains("/") ? "/" : "\\"
        var rest = (delimiter == "/" ? path : FramePath.slashes(path))[...]
        var stack = lead
        while let prefix = FramePath.prefixes.first(where: rest.hasPrefix) {
            stack += prefix
            rest = rest.dropFirst(prefix.count)
        }
        while !rest.isEmpty {
            if let source = removingSuffix(String(rest), from: file) {
                return MappingRoots(stack: stack, source: source)
            }
            guard let slash = rest.firstIndex(of: "/") else { return nil }
            stack += rest[..<slash] + delimiter
            rest = rest[rest.index(after: slash)...]
        }
        return nil
    }

    /// What stands before `suffix`, when that ends `text` and begins a path's segment there.
    private static func removingSuffix(_ suffix: String, from text: String) -> String? {
        guard !suffix.isEmpty, text.utf8.count >= suffix.utf8.count,
            text.utf8.suffix(suffix.utf8.count).elementsEqual(suffix.utf8)
        else { return nil }
        let prefix = text.utf8.dropLast(suffix.utf8.count)
        return prefix.isEmpty || prefix.last == UInt8(ascii: "/") ? String(decoding: prefix, as: UTF8.self) : nil
    }
}
