import HTTPTransport

/// The bytes that a Silo1 signature covers.
///
/// Every part is its length (four bytes, most significant first) and its bytes, so that no two different requests give
/// the same bytes, whatever they hold:
///
///     "Silo1"  key id  time  nonce  method  authority  path  content-type  signed names, ";" between
///     for each signed name: number of values, the values in order
///     SHA-256 of the body as it stands on the wire
///
/// An absent authority or content type is a part of no bytes; a signed name that the request does not have has no
/// values. Which names must be signed: ``Silo1Fields/isCovered(_:)``.
struct Silo1Message {
    let keyID: UnsafeRawBufferPointer
    let time: Int64
    let nonce: Silo1Nonce
    let names: Silo1Names
    let fields: Silo1Fields
    let bodyHash: Digest256

    func write(to input: inout DigestInput) {
        input.part("Silo1")
        input.part(keyID)
        input.part(number: time)
        nonce.withBytes { input.part($0) }
        input.part(fields.method)
        if let authority = fields.authority { input.part(authority) } else { input.part("") }
        input.part(fields.path)
        if let type = fields.first("content-type") { input.part(type) } else { input.part("") }
        input.part(names.text)
        names.forEach { write(valuesOf: $0, to: &input) }
        bodyHash.withBytes { input.part($0) }
    }

    private func write(valuesOf name: UnsafeRawBufferPointer, to input: inout DigestInput) {
        guard let first = fields.all.firstIndex(where: { $0.name.isSame(as: name) }) else { return input.part("0") }
        let others = fields.all[(first + 1)...]
        let otherCount = others.reduce(0) { count, field in field.name.isSame(as: name) ? count + 1 : count }
        input.part(number: Int64(1 + otherCount))
        input.part(fields.all[first].value)
        guard otherCount > 0 else { return }
        for field in others where field.name.isSame(as: name) { input.part(field.value) }
    }
}

/// Parts, each after its length.
extension DigestInput {
    fileprivate mutating func part(_ text: StaticString) {
        part(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Decimal digits.
    fileprivate mutating func part(number: Int64) {
        Decimal.withDigits(number) { part($0) }
    }
}

/// Decimal digits without memory of their own.
enum Decimal {
    static func withDigits<R>(_ number: Int64, _ body: (UnsafeRawBufferPointer) -> R) -> R {
        // "-9223372036854775808" has 20.
        withUnsafeTemporaryAllocation(byteCount: 20, alignment: 1) { memory in
            var start = memory.count
            var rest = number.magnitude
            repeat {
                start -= 1
                memory[start] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            } while rest > 0
            if number < 0 {
                start -= 1
                memory[start] = UInt8(ascii: "-")
            }
            return body(UnsafeRawBufferPointer(rebasing: memory[start...]))
        }
    }
}
