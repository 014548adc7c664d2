import Foundation

/// The beginning of a small file of a repository, which may be hostile: only a regular file is read, and opening never
/// waits, so that a FIFO in a file's place cannot hold a thread.
enum SmallFile {
    /// The first `limit` bytes; nil when there is no such regular file. Blocks on the file system: not for event loops.
    static func read(_ path: String, limit: Int) -> [UInt8]? {
        let descriptor = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        var bytes = [UInt8](repeating: 0, count: limit)
        var count = 0
        while count < limit {
            let read = bytes.withUnsafeMutableBytes { memory in
                Foundation.read(descriptor, memory.baseAddress?.advanced(by: count), limit - count)
            }
            if read < 0, errno == EINTR { continue }
            guard read > 0 else { break }
            count += read
        }
        return Array(bytes.prefix(count))
    }

    /// The first line, without its end, of at most `limit` bytes; nil when there is no such regular file.
    static func firstLine(_ path: String, limit: Int = 4096) -> String? {
        read(path, limit: limit).map { bytes in
            String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        }
    }
}
