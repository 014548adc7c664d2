/// Numbers as JSON writes them.
enum JSONNumber {
    /// Length of the number at the front of `text` by the grammar of RFC 8259; nil when there is none.
    static func prefix(_ text: UnsafeRawBufferPointer) -> Int? {
        var index = 0
        if index < text.count, text[index] == UInt8(ascii: "-") { index += 1 }
        guard index < text.count else { return nil }
        if text[index] == UInt8(ascii: "0") {
            index += 1
        } else {
            guard let end = digits(text, from: index) else { return nil }
            index = end
        }
        if index < text.count, text[index] == UInt8(ascii: ".") {
            guard let end = digits(text, from: index + 1) else { return nil }
            index = end
        }
        if index < text.count, text[index] | 0x20 == UInt8(ascii: "e") {
            var start = index + 1
            if start < text.count, text[start] == UInt8(ascii: "+") || text[start] == UInt8(ascii: "-") {
                start += 1
            }
            guard let end = digits(text, from: start) else { return nil }
            index = end
        }
        return index
    }

    private static func digits(_ text: UnsafeRawBufferPointer, from start: Int) -> Int? {
        var index = start
        while index < text.count, isDigit(text[index]) { index += 1 }
        return index > start ? index : nil
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// The exact integer that `text`, a number by the grammar, stands for; nil when it has a fraction or does
    /// not fit 64 bits. `1.0` and `1e2` are integers.
    static func integer(_ text: UnsafeRawBufferPointer) -> (isNegative: Bool, magnitude: UInt64)? {
        let isNegative = text.first == UInt8(ascii: "-")
        // Nineteen digits always fit.
        guard text.count <= 19 else { return anyInteger(text) }
        var magnitude: UInt64 = 0
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            guard digit < 10 else { return anyInteger(text) }
            magnitude = magnitude &* 10 &+ UInt64(digit)
        }
        return (isNegative, magnitude)
    }

    /// ``integer(_:)`` of a long number, or one with a point or an exponent.
    private static func anyInteger(_ text: UnsafeRawBufferPointer) -> (isNegative: Bool, magnitude: UInt64)? {
        var digits: [UInt8] = []
        var fractionCount = 0
        var exponent = 0
        var index = 0
        let isNegative = text.first == UInt8(ascii: "-")
        if isNegative { index = 1 }
        var isFraction = false
        while index < text.count {
            let byte = text[index]
            index += 1
            if isDigit(byte) {
                digits.append(byte - UInt8(ascii: "0"))
                if isFraction { fractionCount += 1 }
            } else if byte == UInt8(ascii: ".") {
                isFraction = true
            } else {
                let rest = String(decoding: text[index...], as: UTF8.self)
                guard let value = Int32(rest.hasPrefix("+") ? rest.dropFirst() : rest[...]) else {
                    return nil
                }
                exponent = Int(value)
                break
            }
        }
        return magnitude(digits, shift: exponent - fractionCount).map { (isNegative, $0) }
    }

    /// `digits` times ten to the power of `shift`.
    private static func magnitude(_ digits: [UInt8], shift: Int) -> UInt64? {
        var digits = digits[...]
        var shift = shift
        while shift < 0 {
            guard let last = digits.popLast() else { return 0 }
            guard last == 0 else { return nil }
            shift += 1
        }
        var value: UInt64 = 0
        for digit in digits {
            guard let next = append(digit, to: value) else { return nil }
            value = next
        }
        while shift > 0, value > 0 {
            guard let next = append(0, to: value) else { return nil }
            value = next
            shift -= 1
        }
        return value
    }

    private static func append(_ digit: UInt8, to value: UInt64) -> UInt64? {
        let (product, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = product.addingReportingOverflow(UInt64(digit))
        return overflow || carry ? nil : sum
    }

    // MARK: - Floating point

    /// The nearest double to `text`, a number by the grammar; nil when it is not finite.
    static func double(_ text: UnsafeRawBufferPointer) -> Double? {
        if let (isNegative, digits, exponent) = decimal(text), digits <= 1 << 53, abs(exponent) <= 22 {
            // Both are exact, so that the one operation between them rounds correctly.
            let power = powersOfTen[abs(exponent)]
            let value = exponent < 0 ? Double(digits) / power : Double(digits) * power
            return isNegative ? -value : value
        }
        return Double(String(decoding: text, as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
    }

    /// The nearest float; rounding a double would round twice.
    static func float(_ text: UnsafeRawBufferPointer) -> Float? {
        if let (isNegative, digits, exponent) = decimal(text), digits <= 1 << 24, abs(exponent) <= 10 {
            let power = Float(powersOfTen[abs(exponent)])
            let value = exponent < 0 ? Float(digits) / power : Float(digits) * power
            return isNegative ? -value : value
        }
        return Float(String(decoding: text, as: UTF8.self)).flatMap { $0.isFinite ? $0 : nil }
    }

    /// Powers that a double holds exactly.
    private static let powersOfTen: [Double] = [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
        1e19, 1e20, 1e21, 1e22
    ]

    /// A number without an exponent as its digits times a power of ten; nil for other and for longer ones.
    private static func decimal(
        _ text: UnsafeRawBufferPointer
    ) -> (isNegative: Bool, digits: UInt64, exponent: Int)? {
        guard text.count <= 20 else { return nil }
        let isNegative = text.first == UInt8(ascii: "-")
        var digits: UInt64 = 0
        var fractionStart: Int?
        for index in (isNegative ? 1 : 0)..<text.count {
            let digit = text[index] &- UInt8(ascii: "0")
            if digit < 10 {
                let (product, overflow) = digits.multipliedReportingOverflow(by: 10)
                guard !overflow, product <= UInt64.max - 9 else { return nil }
                digits = product + UInt64(digit)
            } else if text[index] == UInt8(ascii: ".") {
                fractionStart = index + 1
            } else {
                return nil
            }
        }
        return (isNegative, digits, fractionStart.map { $0 - text.count } ?? 0)
    }
}
