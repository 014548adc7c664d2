import Foundation
import FrameCodecGenerator

// protoc runs this program with a serialised CodeGeneratorRequest on standard input and reads a serialised
// CodeGeneratorResponse from standard output. Only a request that cannot be read ends with a status other
// than 0.

let arguments = CommandLine.arguments.dropFirst()
if let argument = arguments.first {
    let isHelp = argument == "--help" || argument == "-h"
    let text =
        isHelp
        ? Options.help + "\n" : "protoc-gen-framecodec takes no arguments; --help tells how to use it\n"
    (isHelp ? FileHandle.standardOutput : FileHandle.standardError).write(Data(text.utf8))
    exit(isHelp ? 0 : 2)
}

do {
    let request = [UInt8](FileHandle.standardInput.readDataToEndOfFile())
    FileHandle.standardOutput.write(Data(try Generator.run(serializedRequest: request)))
} catch {
    FileHandle.standardError.write(Data("protoc-gen-framecodec: cannot read the request: \(error)\n".utf8))
    exit(1)
}
