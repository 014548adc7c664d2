import Foundation
import HTTPTransport

/// What of a request's head is signed, looked at in place: pointers that hold while ``of(_:_:)`` runs.
struct Silo1Fields {
    /// Every name that begins so routes a call.
    static let routingPrefix: StaticString = "x-silo-"

    let method: UnsafeRawBufferPointer
    let path: UnsafeRawBufferPointer
    let authority: UnsafeRawBufferPointer?
    let all: UnsafeBufferPointer<HTTPFieldBytes>

    static func of<R, Failure: Error>(
        _ head: HTTPRequestHead, _ body: (Silo1Fields) throws(Failure) -> R
    ) throws(Failure) -> R {
        defer { withExtendedLifetime(head) {} }
        return try withUnsafeTemporaryAllocation(of: HTTPFieldBytes.self, capacity: head.fields.count) {
            memory throws(Failure) in
            try body(
                Silo1Fields(
                    method: head.method.bytes, path: head.pathBytes, authority: head.authorityBytes,
                    all: head.fields.list(into: memory)))
        }
    }

    /// Whoever signs must sign such a field when it sends one, and the verifier refuses a request that has one
    /// unsigned: it routes a call, or changes what a request means.
    static func isCovered(_ name: UnsafeRawBufferPointer) -> Bool {
        name.hasPrefix(routingPrefix) || name.isSame(as: "grpc-timeout") || name.isSame(as: "grpc-encoding")
            || name.isSame(as: "content-encoding") || name.isSame(as: "connect-timeout-ms")
    }

    /// Gives `body` the covered names that are there, each once, sorted.
    func withNamesToSign(_ body: (Slice<UnsafeMutableBufferPointer<UnsafeRawBufferPointer>>) -> Void) {
        withUnsafeTemporaryAllocation(of: UnsafeRawBufferPointer.self, capacity: all.count) { names in
            var count = 0
            for field in all where Self.isCovered(field.name) {
                // There are few: each is put in its place.
                var place = count
                while place > 0, field.name.precedes(names[place - 1]) { place -= 1 }
                if place > 0, field.name.isSame(as: names[place - 1]) { continue }
                for later in stride(from: count, to: place, by: -1) { names[later] = names[later - 1] }
                names[place] = field.name
                count += 1
            }
            body(names[..<count])
        }
    }

    /// Whether no covered field is missing in `names`.
    func isSigned(by names: Silo1Names) -> Bool {
        all.allSatisfy { field in !Self.isCovered(field.name) || names.contains(field.name) }
    }

    /// The first value of that name.
    func first(_ name: StaticString) -> UnsafeRawBufferPointer? { all.first { $0.name.isSame(as: name) }?.value }

    func hasAtMostOne(_ name: StaticString) -> Bool {
        all.reduce(0) { count, field in field.name.isSame(as: name) ? count + 1 : count } <= 1
    }

    /// The value of the only field of that name.
    func only(_ name: StaticString) -> UnsafeRawBufferPointer? {
        var value: UnsafeRawBufferPointer?
        for field in all where field.name.isSame(as: name) {
            guard value == nil else { return nil }
            value = field.value
        }
        return value
    }
}

/// Names with ";" between, as they stand in the header.
struct Silo1Names {
    let text: UnsafeRawBufferPointer

    /// Calls `body` with each name until it says false.
    private func whileTrue(_ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
        guard !text.isEmpty else { return true }
        var start = 0
        while true {
            let end = text.index(of: UInt8(ascii: ";"), from: start)
            guard body(UnsafeRawBufferPointer(rebasing: text[start..<end])) else { return false }
            guard end < text.count else { return true }
            start = end + 1
        }
    }

    func forEach(_ body: (UnsafeRawBufferPointer) -> Void) {
        _ = whileTrue { name in
            body(name)
            return true
        }
    }

    func contains(_ name: UnsafeRawBufferPointer) -> Bool { !whileTrue { !$0.isSame(as: name) } }

    /// Whether these are lower-case names, none of them twice, and not too many.
    var areValid: Bool {
        var count = 0
        var last: UnsafeRawBufferPointer?
        var areSorted = true
        let areNames = whileTrue { name in
            count += 1
            if let last, !last.precedes(name) { areSorted = false }
            last = name
            let isName = !name.isEmpty && name.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == 0x2D
            }
            return isName && count <= Silo1Header.maximumSignedFieldCount
        }
        // Signers sort them: then each is seen to be another one than the one before.
        return areNames && (areSorted || whileTrue { occurrences($0) == 1 })
    }

    private func occurrences(_ name: UnsafeRawBufferPointer) -> Int {
        var count = 0
        forEach { if $0.isSame(as: name) { count += 1 } }
        return count
    }
}

extension UnsafeRawBufferPointer {
    /// Where the next such byte is; ``count`` when there is none.
    func index(of byte: UInt8, from start: Int) -> Int {
        guard start < count, let base = baseAddress,
            let found = memchr(base + start, Int32(byte), count - start)
        else { return count }
        return UnsafeRawPointer(found) - base
    }

    func isSame(as other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let left = baseAddress, let right = other.baseAddress else { return isEmpty }
        return memcmp(left, right, count) == 0
    }

    /// In the order of the bytes; what begins a longer one comes before it.
    func precedes(_ other: UnsafeRawBufferPointer) -> Bool {
        guard let left = baseAddress, let right = other.baseAddress else { return count < other.count }
        let order = memcmp(left, right, Swift.min(count, other.count))
        return order != 0 ? order < 0 : count < other.count
    }

    func isSame(as text: StaticString) -> Bool { count == text.utf8CodeUnitCount && hasPrefix(text) }

    func hasPrefix(_ text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount, let start = baseAddress else { return text.utf8CodeUnitCount == 0 }
        return memcmp(start, text.utf8Start, text.utf8CodeUnitCount) == 0
    }
}
