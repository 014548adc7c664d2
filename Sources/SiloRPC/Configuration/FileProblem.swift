import Foundation

/// Why a file cannot be read, for whoever has named it in a configuration.
public enum FileProblem {
    /// Such as "No such file or directory".
    public static func reason(_ path: String) -> String {
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
            return "it is a folder"
        }
        guard let file = fopen(path, "r") else { return String(cString: strerror(errno)) }
        fclose(file)
        return "reading failed"
    }
}
