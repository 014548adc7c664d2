/// Rewrites a frame's path the way a platform needs it before mappings are tried.
enum FrameMunger {
    /// nil: the platform rewrites nothing, or the frame lacks what it needs.
    static func path(_ frame: SourceFrame, platform: String, sdk: String) -> String? {
        switch platform {
        case "java": java(frame)
        case "cocoa": cocoa(frame)
        case "other" where sdk == "sentry.dart.flutter": flutter(frame)
        default: nil
        }
    }

    private static func java(_ frame: SourceFrame) -> String? {
        if !frame.module.isEmpty, !frame.absolutePath.isEmpty { return try? FramePath(moduleOf: frame).raw }
        let name = frame.module.prefix { $0 != "$" }
        let parts = name.split(separator: ".").map(String.init)
        guard !frame.filename.isEmpty, frame.module.contains("."), parts.count > 1 else { return nil }
        guard let outer = parts.last else { return nil }
        // A class that the compiler made has no file of its own: it is in that of the module's outer class.
        let isMade = frame.filename.contains("$") || FileExtension.of(frame.filename) == nil
        return (parts.dropLast() + [isMade ? "\(outer).java" : frame.filename]).joined(separator: "/")
    }

    /// From the first folder that is named like the package.
    private static func cocoa(_ frame: SourceFrame) -> String? {
        let package = frame.package.drop { $0 == "/" }.prefix { $0 != "/" }
        let segments = frame.absolutePath.split(separator: "/")
        guard !package.isEmpty, let start = segments.firstIndex(of: package) else { return nil }
        return segments[start...].joined(separator: "/")
    }

    /// `package:NAME/a/b.dart` of the frame's own package.
    private static func flutter(_ frame: SourceFrame) -> String? {
        let prefix = "package:\(frame.package)/"
        guard !frame.package.isEmpty, frame.absolutePath.hasPrefix(prefix) else { return nil }
        return String(frame.absolutePath.dropFirst(prefix.count))
    }
}
