import Foundation

/// Lines that reach a pipe's reader at once: `print` keeps them in a buffer when standard output is no terminal.
enum StandardOutput {
    static func line(_ text: String) {
        FileHandle.standardOutput.write(Data((text + "\n").utf8))
    }
}
