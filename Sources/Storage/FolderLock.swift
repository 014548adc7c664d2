import Foundation

/// One process at a time owns a data folder: an advisory lock (`flock`) on a file there, which says who has it. The
/// system gives it back when the process ends, however that happens.
public final class FolderLock: Sendable {
    /// Name of the file in the folder.
    public static let fileName = "server.lock"

    private let descriptor: Int32

    /// - Parameters:
    ///   - folder: made, with mode 0700, when it is not there.
    ///   - owner: who has it, for people, such as `scm-gateway serve, cell:us1`.
    /// - Throws: ``StorageError`` that names the process that has the lock, or says why there can be none.
    public init(folder: String, owner: String) throws(StorageError) {
        let path = (folder as NSString).appendingPathComponent(Self.fileName)
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StorageError(.cannotOpen, "cannot make the data folder \(folder): \(error)")
        }
        // Closed when a program is started: git must not keep the lock of a server that has ended.
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw StorageError(.cannotOpen, "cannot open \(path): \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            let reason = errno
            let holder = Self.text(descriptor)
            close(descriptor)
            guard reason == EWOULDBLOCK else {
                throw StorageError(.cannotOpen, "cannot lock \(path): \(String(cString: strerror(reason)))")
            }
            let owner = holder.isEmpty ? "another process" : holder
            throw StorageError(
                .cannotOpen,
                "the data folder \(folder) is in use by \(owner); one server at a time may use it (\(path))")
        }
        let text = Array("process \(getpid()) (\(owner), since \(Date().ISO8601Format()))\n".utf8)
        // What is there is of a process that has ended. Without the text the lock holds all the same.
        _ = ftruncate(descriptor, 0)
        _ = text.withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, 0) }
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// At most 512 bytes of what the owner has written, printable ones only.
    private static func text(_ descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 512)
        let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
        guard count > 0 else { return "" }
        return String(decoding: bytes.prefix(count).filter { (0x20..<0x7F).contains($0) }, as: UTF8.self)
    }
}
