import Foundation

/// Progress on standard error: one line that the next one replaces on a terminal, lines of their own elsewhere.
enum Progress {
    private static let isTerminal = isatty(STDERR_FILENO) == 1

    static func show(_ text: String) { write(isTerminal ? "\r\u{1B}[K\(text)" : text + "\n") }
    static func clear() { if isTerminal { write("\r\u{1B}[K") } }
    static func note(_ text: String) { write(text + "\n") }

    private static func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
