import Foundation

/// Lines that reach a pipe's reader at once: `print` keeps them in a buffer when standard output is no terminal.
enum StandardOutput {
    static func line(_ text: String) {
        // A reader that has gone is no error of this program's: there is nobody left to tell.
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }
}
