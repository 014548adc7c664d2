/// The answers to a row of `info` or `contents` questions, one per name and in the order of the names.
///
/// `@unchecked Sendable`: the reader's task feeds it, and the asker reads the results only after the continuation
/// that the reader's task resumes when it is complete; the two never touch it at the same time. When the reader
/// breaks off, the asker gets an error and drops it.
final class ObjectAnswers: ObjectAnswer, @unchecked Sendable {
    enum Form { case info, contents }

    struct Object {
        var info: ObjectInfo
        /// Empty in the `info` form.
        var content: [UInt8] = []
    }

    enum Result {
        case found(Object)
        case missing
        case ambiguous
    }

    private let names: [[UInt8]]
    private let form: Form
    private let byteLimit: Int
    /// Of all contents together.
    private let totalByteLimit: Int
    private var totalByteCount = 0
    private(set) var results: [Result] = []
    private var buffer: [UInt8] = []
    /// How much of `buffer` is parsed.
    private var position = 0
    /// The object whose content is being read.
    private var open: ObjectInfo?

    /// - Parameters:
    ///   - byteLimit: largest object content that is accepted, in bytes.
    ///   - totalByteLimit: most bytes of all contents together.
    init(names: [[UInt8]], form: Form, byteLimit: Int, totalByteLimit: Int = .max) {
        self.names = names
        self.form = form
        self.byteLimit = byteLimit
        self.totalByteLimit = totalByteLimit
        results.reserveCapacity(names.count)
    }

    /// What to send to the process. At most a few hundred names, so that it fits into the pipe's buffer and the
    /// process can never wait for us while we wait for it.
    var question: [UInt8] {
        let verb = form == .info ? "info " : "contents "
        return names.reduce(into: []) { bytes, name in
            bytes += Array(verb.utf8)
            bytes += name
            bytes.append(0)
        }
    }

    var isComplete: Bool { results.count == names.count }

    func feed(_ bytes: UnsafeRawBufferPointer) throws {
        buffer.append(contentsOf: bytes)
        while !isComplete, try step() {}
        if isComplete, position < buffer.count {
            throw GitError.corruptAnswer("cat-file answered more than was asked")
        }
        if position > 64 * 1024 {
            buffer.removeFirst(position)
            position = 0
        }
    }

    /// - Returns: false when more bytes are needed.
    private func step() throws(GitError) -> Bool {
        if let info = open { return try content(of: info) }
        let rest = buffer[position...]
        guard let (header, byteCount) = try ObjectHeader.parse(rest, asked: names[results.count]) else { return false }
        position += byteCount
        switch header {
        case .missing: results.append(.missing)
        case .ambiguous: results.append(.ambiguous)
        case .found(let info) where form == .info: results.append(.found(Object(info: info)))
        case .found(let info):
            guard info.byteCount <= byteLimit else {
                throw GitError.tooLarge(what: "the object", limit: byteLimit, knob: "maximumObjectByteCount")
            }
            totalByteCount += info.byteCount
            guard totalByteCount <= totalByteLimit else {
                throw GitError.tooLarge(
                    what: "what was asked for", limit: totalByteLimit, knob: "maximumOutputByteCount")
            }
            open = info
        }
        return true
    }

    private func content(of info: ObjectInfo) throws(GitError) -> Bool {
        guard buffer.count - position > info.byteCount else { return false }
        let end = position + info.byteCount
        guard buffer[end] == UInt8(ascii: "\n") else {
            throw GitError.corruptAnswer("cat-file content is not followed by a newline")
        }
        results.append(.found(Object(info: info, content: Array(buffer[position..<end]))))
        position = end + 1
        open = nil
        return true
    }
}
