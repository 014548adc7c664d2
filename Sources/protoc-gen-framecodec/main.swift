import Foundation
import FrameCodecGenerator

// protoc runs this program with a serialised CodeGeneratorRequest on standard input and reads a serialised
// CodeGeneratorResponse from standard output. Only a request that cannot be read ends with a status other
// than 0.

let arguments = Array(CommandLine.arguments.dropFirst())
if arguments.first == "check-silo", arguments.count == 3 {
    exit(checkSilo(released: arguments[1], current: arguments[2]))
}
if let argument = arguments.first {
    let isHelp = argument == "--help" || argument == "-h"
    let text =
        isHelp
        ? Options.help + "\n" : "protoc-gen-framecodec takes no arguments but check-silo; --help tells how to use it\n"
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

/// Prints what is unsafe about the silo services of `current`, given those that are released.
func checkSilo(released: String, current: String) -> Int32 {
    func bytes(_ path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }
    do {
        let problems = try SiloEvolution(released: bytes(released), current: bytes(current)).problems()
        for problem in problems { FileHandle.standardError.write(Data("silo: \(problem)\n".utf8)) }
        return problems.isEmpty ? 0 : 1
    } catch {
        FileHandle.standardError.write(Data("check-silo: \(error)\n".utf8))
        return 2
    }
}
