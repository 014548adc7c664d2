/// One member or frame at a time: what the libraries have in common. The owner gives input and takes output in pieces.
protocol Decoder: AnyObject {
    /// Reads from the front of `input` and writes to the front of `output`.
    func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(CompressionError) -> DecoderStep
    /// Whether another member may follow the one that has ended, as RFC 1952 2.2 and RFC 8878 3 allow.
    var allowsFurtherMembers: Bool { get }
    /// Gets ready for the next member.
    func startNextMember() throws(CompressionError)
}

struct DecoderStep {
    let consumed: Int
    let produced: Int
    /// The member has ended, and all of its output is out.
    let isAtEnd: Bool
}
