/// All codec cases.
enum CodecCases {
    static var all: [CodecCase] { FrameCases.all + MessageCases.all }
}
