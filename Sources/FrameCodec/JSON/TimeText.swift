/// The text forms of google.protobuf.Timestamp (RFC 3339) and Duration.
enum TimeText {
    /// `2024-02-29T12:00:00.5Z`, with up to nine digits of fraction and `Z` or an offset; nil when it is not
    /// that or outside the years 1 to 9999.
    static func timestamp(_ text: String) -> (seconds: Int64, nanos: Int32)? {
        let bytes = [UInt8](text.utf8)
        guard bytes.count >= 20, bytes[4] == UInt8(ascii: "-"), bytes[7] == UInt8(ascii: "-"),
            bytes[10] == UInt8(ascii: "T"), bytes[13] == UInt8(ascii: ":"), bytes[16] == UInt8(ascii: ":"),
            let year = number(bytes[0..<4]), let month = number(bytes[5..<7]),
            let day = number(bytes[8..<10]),
            let hour = number(bytes[11..<13]), let minute = number(bytes[14..<16]),
            let second = number(bytes[17..<19]),
            (1...9999).contains(year), (1...12).contains(month), day >= 1, day <= dayCount(year, month),
            hour < 24, minute < 60, second < 60
        else { return nil }
        var rest = bytes[19...]
        var nanos: Int64 = 0
        if rest.first == UInt8(ascii: ".") {
            let digits = rest.dropFirst().prefix { isDigit($0) }
            guard let fraction = nanoseconds(digits) else { return nil }
            nanos = fraction
            rest = rest.dropFirst(1 + digits.count)
        }
        guard let offset = offsetSeconds(rest) else { return nil }
        let days = CivilDate.days(year: year, month: month, day: day)
        let seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset
        guard Protobuf.Timestamp.secondsRange.contains(seconds) else { return nil }
        return (seconds, Int32(truncatingIfNeeded: nanos))
    }

    /// `1.5s`; nil when it is not that or out of range.
    static func duration(_ text: String) -> (seconds: Int64, nanos: Int32)? {
        var bytes = [UInt8](text.utf8)[...]
        guard bytes.popLast() == UInt8(ascii: "s") else { return nil }
        let isNegative = bytes.first == UInt8(ascii: "-")
        if isNegative { bytes = bytes.dropFirst() }
        let whole = bytes.prefix { isDigit($0) }
        guard let seconds = number(whole) else { return nil }
        var nanos: Int64 = 0
        if whole.count < bytes.count {
            guard bytes[whole.endIndex] == UInt8(ascii: "."),
                let fraction = nanoseconds(bytes[(whole.endIndex + 1)...])
            else { return nil }
            nanos = fraction
        }
        guard Protobuf.Duration.secondsRange.contains(seconds) else { return nil }
        return (isNegative ? -seconds : seconds, Int32(truncatingIfNeeded: isNegative ? -nanos : nanos))
    }

    /// The text of a valid timestamp, with 0, 3, 6 or 9 digits of fraction.
    static func text(timestampSeconds seconds: Int64, nanos: Int32) -> String {
        let (days, rest) = CivilDate.floorDivide(seconds, 86400)
        let (year, month, day) = CivilDate.date(days: days)
        let date = "\(padded(year, 4))-\(padded(month, 2))-\(padded(day, 2))"
        let time = "\(padded(rest / 3600, 2)):\(padded(rest / 60 % 60, 2)):\(padded(rest % 60, 2))"
        return "\(date)T\(time)\(fraction(Int64(nanos)))Z"
    }

    /// The text of a valid duration, with 0, 3, 6 or 9 digits of fraction.
    static func text(durationSeconds seconds: Int64, nanos: Int32) -> String {
        let sign = seconds < 0 || nanos < 0 ? "-" : ""
        return "\(sign)\(seconds.magnitude)\(fraction(Int64(nanos.magnitude)))s"
    }

    private static func fraction(_ nanos: Int64) -> String {
        if nanos == 0 { return "" }
        if nanos % 1_000_000 == 0 { return "." + padded(nanos / 1_000_000, 3) }
        if nanos % 1_000 == 0 { return "." + padded(nanos / 1_000, 6) }
        return "." + padded(nanos, 9)
    }

    private static func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    private static func isDigit(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
    }

    /// One to twelve digits.
    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard (1...12).contains(digits.count), digits.allSatisfy(isDigit) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - UInt8(ascii: "0")) }
    }

    /// One to nine digits behind the point.
    private static func nanoseconds(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.count <= 9, var value = number(digits) else { return nil }
        for _ in digits.count..<9 { value *= 10 }
        return value
    }

    /// `Z` or `+hh:mm`.
    private static func offsetSeconds(_ text: ArraySlice<UInt8>) -> Int64? {
        if text.elementsEqual([UInt8(ascii: "Z")]) { return 0 }
        let bytes = [UInt8](text)
        guard bytes.count == 6, bytes[3] == UInt8(ascii: ":"), let hours = number(bytes[1..<3]),
            let minutes = number(bytes[4..<6]), hours < 24, minutes < 60
        else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "+"): return hours * 3600 + minutes * 60
        case UInt8(ascii: "-"): return -(hours * 3600 + minutes * 60)
        default: return nil
        }
    }

    private static func dayCount(_ year: Int64, _ month: Int64) -> Int64 {
        switch month {
        case 4, 6, 9, 11: 30
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        default: 31
        }
    }
}

/// Days since 1970-01-01 and dates of the Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year; 400 years have 146,097 days.
enum CivilDate {
    static func days(year: Int64, month: Int64, day: Int64) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let (era, yearOfEra) = floorDivide(shifted, 400)
        let dayOfYear = (153 * ((month + 9) % 12) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return era * 146_097 + dayOfEra - 719_468
    }

    static func date(days: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let (era, dayOfEra) = floorDivide(days + 719_468, 146_097)
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let shiftedMonth = (5 * dayOfYear + 2) / 153
        let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
    }

    /// Quotient rounded towards negative infinity, and the remainder, which is never negative.
    static func floorDivide(_ value: Int64, _ divisor: Int64) -> (quotient: Int64, remainder: Int64) {
        let (quotient, remainder) = value.quotientAndRemainder(dividingBy: divisor)
        return remainder < 0 ? (quotient - 1, remainder + divisor) : (quotient, remainder)
    }
}

/// The text form of google.protobuf.FieldMask: paths in lowerCamelCase, joined by commas.
enum FieldMaskText {
    /// `author.webUrl` -> `author.web_url`; nil for a path that has an underscore.
    static func originalPath(_ path: some StringProtocol) -> String? {
        var result = ""
        for character in path.unicodeScalars {
            guard character != "_", character.isASCII else { return nil }
            if ("A"..."Z").contains(character) {
                result.unicodeScalars.append("_")
                result.unicodeScalars.append(Unicode.Scalar(UInt8(truncatingIfNeeded: character.value + 32)))
            } else {
                result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// `author.web_url` -> `author.webUrl`; nil for a path that would not come back the same.
    static func jsonPath(_ path: String) -> String? {
        let json = path.split(separator: ".", omittingEmptySubsequences: false)
            .map { FieldSchema.defaultJSONName(String($0)) }.joined(separator: ".")
        return originalPath(json) == path ? json : nil
    }
}
