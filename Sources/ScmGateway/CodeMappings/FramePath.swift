/// A frame's path in a form that can be compared with the paths of a repository.
struct FramePath: Sendable, Hashable {
    /// The path that a mapping is applied to.
    let raw: String
    /// `raw` with `/` for `\`, without a drive, and without `app:///`, `./`, `../` and `/` in front.
    let normalized: String
    /// Frames with the same one get the same mapping.
    let bucket: String
    /// Made of a module's name.
    let isModule: Bool

    /// - Throws: ``FrameSkip``: the frame has no such path.
    init(_ frame: SourceFrame, platform: StackPlatform) throws(FrameSkip) {
        if platform.usesModules { try self.init(moduleOf: frame) } else { try self.init(filename: frame.filename) }
    }

    init(filename raw: String) throws(FrameSkip) {
        let text = Self.withoutDrive(raw)
        var rest = text[...]
        while let prefix = Self.prefixes.first(where: rest.hasPrefix) { rest = rest.dropFirst(prefix.count) }
        let address = text.lowercased()
        guard let first = rest.first, first != "[", first != "<", !address.contains("http://"),
            !address.contains("https://")
        else { throw .unsupportedPath }
        guard FileExtension.of(String(rest)) != nil else { throw .needsExtension }
        let segment = rest.prefix { $0 != "/" }
        self.raw = raw
        normalized = String(rest)
        bucket = text.hasPrefix("/") ? "/\(segment)/" : "\(text.dropLast(rest.count))\(segment)"
        isModule = false
    }

    /// In the order in which they are looked for.
    static let prefixes = ["app:///", "./", "../", "/"]

    private static func withoutDrive(_ raw: String) -> String {
        guard raw.contains("\\") else { return raw }
        let text = slashes(raw)
        guard text.dropFirst().first == ":" else { return text }
        let rest = text.dropFirst(2)
        return String(rest.hasPrefix("/") ? rest.dropFirst() : rest)
    }

    /// Windows paths with the other slash.
    static func slashes(_ path: some StringProtocol) -> String {
        String(path.map { $0 == "\\" ? "/" : $0 })
    }
}

extension FramePath {
    /// Most parts of a package that one mapping is for.
    static let maximumPackageDepth = 4

    /// `com.example.Main` in `Main.kt` is `com/example/Main.kt`.
    init(moduleOf frame: SourceFrame) throws(FrameSkip) {
        let (module, file) = (frame.module, frame.absolutePath)
        guard !module.isEmpty, !file.isEmpty else { throw .missingModuleOrAbsolutePath }
        let isSynthetic = file.contains("$") || !file.contains(".")
        let name = isSynthetic ? String(module.prefix { $0 != "$" }) : module
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count > 1 else { throw .noPackage }
        let folders = parts.dropLast().map(String.init)
        raw = (folders + [isSynthetic ? String(parts[parts.count - 1]) : file]).joined(separator: "/")
        normalized = raw
        let depth = isSynthetic ? folders.count : min(Self.maximumPackageDepth, folders.count)
        bucket = folders.prefix(depth).joined(separator: "/") + "/"
        isModule = true
    }
}
