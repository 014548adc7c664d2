/// What one mapping makes of a frame.
struct MappingApplication: Sendable, Hashable {
    enum Field: String, Sendable { case filename, absolutePath = "abs_path", module }

    /// The field of the frame that was compared last, and its value after the platform's rewriting.
    let field: Field
    let value: String
    /// Path in the repository; nil when neither field begins with the stack root.
    let path: String?

    /// Compares the rewritten path or the file name, then the absolute path.
    init(_ roots: MappingRoots, _ frame: SourceFrame, munged: String?) {
        let compared = munged ?? frame.filename
        if let path = Self.path(roots, compared) {
            (field, value, self.path) = (Self.field(munged, frame), compared, path)
        } else if let path = Self.path(roots, frame.absolutePath) {
            (field, value, self.path) = (.absolutePath, frame.absolutePath, path)
        } else {
            (field, value, path) = (Self.field(munged, frame), compared, nil)
        }
    }

    private static func path(_ roots: MappingRoots, _ value: String) -> String? {
        guard !value.isEmpty, let path = roots.path(of: value) else { return nil }
        let relative = String(path.drop { $0 == "/" })
        return relative.isEmpty ? nil : relative
    }

    private static func field(_ munged: String?, _ frame: SourceFrame) -> Field {
        guard munged != nil else { return .filename }
        return frame.module.isEmpty ? .absolutePath : .module
    }
}

/// The place of a mapping among those of its project.
struct MappingRank: Sendable, Hashable, Comparable {
    let isAutomatic: Bool
    let isRelative: Bool
    /// Of the stack root.
    let byteCount: Int64
    let id: Int64

    init(isAutomatic: Bool, isRelative: Bool, byteCount: Int64, id: Int64) {
        self.isAutomatic = isAutomatic
        self.isRelative = isRelative
        self.byteCount = byteCount
        self.id = id
    }

    init(isAutomatic: Bool, stackRoot: String, id: Int64) {
        self.init(
            isAutomatic: isAutomatic, isRelative: !stackRoot.hasPrefix("/"), byteCount: Int64(stackRoot.utf8.count),
            id: id
        )
    }

    /// What people made comes before what was derived, absolute roots before relative ones, long roots before short
    /// ones.
    private var key: (Int, Int, Int64, Int64) { (isAutomatic ? 1 : 0, isRelative ? 1 : 0, -byteCount, id) }

    static func < (left: Self, right: Self) -> Bool { left.key < right.key }
}
