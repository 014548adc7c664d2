import Glibc

// FrameCodec beside its peers. Writes the messages that all of them read into a folder, then reads names of cases
// from standard input and answers each with one round: nanoseconds, allocations (or -) and bytes (or -) of one
// operation. An unknown name is answered with `unknown`.

func write(_ bytes: [UInt8], to path: String) {
    guard let file = fopen(path, "w"), fwrite(bytes, 1, bytes.count, file) == bytes.count, fclose(file) == 0 else {
        perror(path)
        exit(1)
    }
}

/// The driver waits for each line: none may stay in a buffer.
func answer(_ line: String) {
    print(line)
    fflush(nil)
}

func serve(_ all: [CodecCase]) {
    let cases = Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0) })
    var timers: [String: CodecTimer] = [:]
    answer("ready")
    while let name = readLine() {
        guard let benchmark = cases[name] else {
            answer("unknown")
            continue
        }
        let timer = timers[name] ?? CodecTimer(benchmark)
        timers[name] = timer
        let round = timer.round()
        let allocations = round.allocations.map { "\($0)" } ?? "-"
        answer("\(round.nanoseconds) \(allocations) \(benchmark.byteCount.map(String.init) ?? "-")")
    }
}

let folder = CommandLine.arguments[1]
for file in MessageCases.files {
    write(file.bytes, to: "\(folder)/\(file.name).bin")
    write(file.json, to: "\(folder)/\(file.name).json")
}
serve(CodecCases.all)
