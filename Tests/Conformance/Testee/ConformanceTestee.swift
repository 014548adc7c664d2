import FrameCodec
import Glibc

/// Answers conformance requests from standard input on standard output until the input ends. A message goes behind
/// its length: four bytes, little-endian.
@main
struct ConformanceTestee {
    static func main() {
        let conversion = Conversion()
        while let request = readRequest() {
            write(conversion.answer(request))
        }
    }

    /// The next message; nil at the end of the input.
    private static func readRequest() -> [UInt8]? {
        guard let header = read(4) else { return nil }
        let length = header.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
        return read(length)
    }

    /// Exactly `count` bytes of the input; nil when it ends before.
    private static func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let step = bytes.withUnsafeMutableBytes { memory in
                let rest = UnsafeMutableRawBufferPointer(rebasing: memory[done...])
                return Glibc.read(0, rest.baseAddress, rest.count)
            }
            guard step > 0 else { return nil }
            done += step
        }
        return bytes
    }

    private static func write(_ message: [UInt8]) {
        let length = (0..<4).map { UInt8(truncatingIfNeeded: message.count >> (8 * $0)) }
        var rest = (length + message)[...]
        while !rest.isEmpty {
            let step = rest.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
            // Nobody reads the answers any more.
            guard step > 0 else { exit(1) }
            rest = rest.dropFirst(step)
        }
    }
}
