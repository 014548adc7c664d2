import FrameCodec
import Testing

@Suite struct PercentCodingTests {
    @Test(
        "S2: only bytes outside 0x20...0x7E and the percent sign are coded",
        arguments: [
            ("plain text!~", "plain text!~"), ("100%", "100%25"), ("a\r\nb\tc", "a%0D%0Ab%09c"),
            ("é😀", "%C3%A9%F0%9F%98%80"),
            ("\u{7F}", "%7F"), ("", "")
        ])
    func roundTrip(_ text: String, _ coded: String) {
        #expect(PercentCoding.encode(text) == utf8(coded))
        #expect(PercentCoding.decode(utf8(coded)) == text)
    }

    @Test(
        "S2: decoding never fails",
        arguments: [
            ("%", "%"), ("%4", "%4"), ("%zz", "%zz"), ("a%4", "a%4"), ("%c3%a9", "é"), ("%FF", "\u{FFFD}"),
            ("%%41", "%A")
        ])
    func lenient(_ coded: String, _ text: String) {
        #expect(PercentCoding.decode(utf8(coded)) == text)
    }
}
