/// What of a stack trace's frame tells where its source is. Empty texts are unset.
struct SourceFrame: Sendable, Hashable {
    var filename = ""
    var module = ""
    var absolutePath = ""
    var package = ""
    /// nil: not known, which counts as the application's own.
    var isInApp: Bool?
    /// Any value marks runtime or framework code.
    var category = ""
}

/// Why a frame gave no mapping.
enum FrameSkip: Error, Sendable, Hashable {
    case unsupportedPath, needsExtension, missingModuleOrAbsolutePath, noPackage, notInApp, categorized
    case noMatch, multipleFiles, multipleRepositories, rootsMismatch
}

/// A platform whose frames derivation understands.
struct StackPlatform: Sendable, Hashable {
    /// Extensions of the source files, without the dot.
    let extensions: Set<String>
    /// Frames are found by `module` and `abs_path` instead of `filename`; and which of them are the application's own
    /// is for derivation to say, so the frames' own word on it does not count.
    let usesModules: Bool

    init(extensions: Set<String>, usesModules: Bool = false) {
        self.extensions = extensions
        self.usesModules = usesModules
    }

    /// nil for a platform that derivation does not know.
    init?(_ name: String) {
        guard let known = Self.known[name] else { return nil }
        self = known
    }

    private static let javaScript = StackPlatform(extensions: ["js", "jsx", "mjs", "tsx", "ts"])
    private static let known: [String: StackPlatform] = [
        "csharp": StackPlatform(extensions: ["cs", "fs", "vb", "ps1", "csx", "fsx"]),
        "go": StackPlatform(extensions: ["go"]),
        "java": StackPlatform(extensions: ["kt", "kts", "java", "jsp", "scala", "sc"], usesModules: true),
        "javascript": javaScript,
        "node": javaScript,
        "php": StackPlatform(extensions: ["php"]),
        "python": StackPlatform(extensions: ["py"]),
        "ruby": StackPlatform(extensions: ["rb", "rake"]),
        "clojure": StackPlatform(extensions: ["clj", "cljs", "cljc"]),
        "groovy": StackPlatform(extensions: ["groovy"]),
    ]

    /// Whether a file of a repository can be what a frame means.
    func isSource(_ path: String) -> Bool {
        guard let ending = FileExtension.of(path), extensions.contains(ending) else { return false }
        return !path.hasSuffix("spec.jsx") && !path.hasPrefix("tests/")
    }
}

enum FileExtension {
    /// What follows the last `.` of a file's name; nil when the name has none, or begins with its only one (`.env`).
    static func of(_ path: String) -> String? {
        let bytes = path.utf8
        let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { bytes.index(after: $0) } ?? bytes.startIndex
        let name = bytes[start...]
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > name.startIndex else { return nil }
        let ending = String(path[name.index(after: dot)...])
        return ending.isEmpty ? nil : ending
    }
}
