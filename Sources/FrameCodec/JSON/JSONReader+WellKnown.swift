extension JSONReader {
    mutating func timestamp() throws(JSONFault) {
        let text = try scanner.string().string
        guard let (seconds, nanos) = TimeText.timestamp(text) else {
            throw scanner.fault(
                "the string is not a timestamp such as 2024-02-29T12:00:00.5Z, years 1 to 9999")
        }
        secondsAndNanos(seconds, nanos)
    }

    mutating func duration() throws(JSONFault) {
        let text = try scanner.string().string
        guard let (seconds, nanos) = TimeText.duration(text) else {
            throw scanner.fault("the string is not a duration such as 1.5s, at most 315576000000s")
        }
        secondsAndNanos(seconds, nanos)
    }

    private mutating func secondsAndNanos(_ seconds: Int64, _ nanos: Int32) {
        output.tag(1, WireType.varint)
        output.varint(UInt64(bitPattern: seconds))
        output.tag(2, WireType.varint)
        output.varint(UInt64(bitPattern: Int64(nanos)))
    }

    mutating func fieldMask() throws(JSONFault) {
        for path in try scanner.string().string.split(separator: ",") {
            guard let snake = FieldMaskText.originalPath(path) else {
                throw scanner.fault("the string is not a field mask such as name,author.webUrl")
            }
            output.tag(1, WireType.lengthDelimited)
            output.lengthDelimited(snake)
        }
    }

    mutating func wrapper(_ schema: MessageSchema) throws(JSONFault) {
        guard let field = schema.field(number: 1) else {
            throw scanner.fault("\(schema.name) has no value field")
        }
        let start = output.count
        output.tag(1, field.kind.wireType)
        if try !value(field.kind) { output.bytes.remove(from: start) }
    }

    // MARK: - Any

    /// `{"@type": URL, members...}`, or `{"@type": URL, "value": ...}` for a type with a JSON form of its
    /// own.
    mutating func any() throws(JSONFault) {
        let start = scanner.position
        guard let url = try typeURL() else {
            scanner.rewind(to: start)
            // The empty object is the empty Any.
            return try members { reader, _ throws(JSONFault) in
                throw reader.scanner.fault("an Any needs the member @type")
            }
        }
        let name = url.lastIndex(of: "/").map { String(url[url.index(after: $0)...]) } ?? url
        guard let type = options.types[name] else {
            throw scanner.fault(
                "the type \(JSONFault.quoted(name)) of an Any is not in the registry (options.types)")
        }
        scanner.rewind(to: start)
        output.tag(1, WireType.lengthDelimited)
        output.lengthDelimited(url)
        output.tag(2, WireType.lengthDelimited)
        let valueStart = output.count
        if type.schema.jsonForm == .fields {
            try object(type.schema, inAny: true)
        } else {
            try anyValue(type.schema)
        }
        // The payload stays bytes, so it is brought into the form that the type itself writes.
        let payload = output.bytes.array(from: valueStart)
        output.bytes.remove(from: valueStart)
        do throws(WireError) {
            output.lengthDelimited(try type.canonicalBytes(payload))
        } catch {
            throw scanner.fault(error.description)
        }
    }

    /// Looks through the members for `@type`, which need not come first.
    private mutating func typeURL() throws(JSONFault) -> String? {
        guard scanner.take("{"), !scanner.take("}") else { return nil }
        repeat {
            let name = try scanner.string()
            try scanner.expect(":")
            if name == "@type" { return try scanner.string().string }
            try skipValue()
        } while scanner.take(",")
        return nil
    }

    private mutating func anyValue(_ schema: MessageSchema) throws(JSONFault) {
        var (seenType, seenValue) = (false, false)
        try members { reader, name throws(JSONFault) in
            if name == "@type" {
                guard !seenType else { throw reader.scanner.fault("member given twice") }
                seenType = true
                try reader.skipValue()
            } else if name == "value" {
                guard !seenValue else { throw reader.scanner.fault("member given twice") }
                seenValue = true
                try reader.message(schema)
            } else {
                throw reader.scanner.fault("an Any of \(schema.name) has the members @type and value only")
            }
        }
        guard seenValue else {
            throw scanner.fault("an Any of \(schema.name) needs the member value")
        }
    }

    // MARK: - Struct, Value, ListValue

    mutating func structure() throws(JSONFault) {
        var names: Set<JSONKey> = []
        try members { reader, name throws(JSONFault) in
            guard name.withBytes({ names.insert(JSONKey($0)).inserted }) else {
                throw reader.scanner.fault("member given twice")
            }
            reader.output.tag(1, WireType.lengthDelimited)
            let entry = reader.output.beginLength()
            reader.output.tag(1, WireType.lengthDelimited)
            reader.output.lengthDelimited(name)
            try reader.nested(2) { reader throws(JSONFault) in try reader.dynamicValue() }
            reader.output.endLength(entry)
        }
    }

    mutating func list() throws(JSONFault) {
        try elements { reader throws(JSONFault) in
            try reader.nested(1) { reader throws(JSONFault) in try reader.dynamicValue() }
        }
    }

    mutating func dynamicValue() throws(JSONFault) {
        switch scanner.peek() {
        case UInt8(ascii: "{")?: try nested(5) { reader throws(JSONFault) in try reader.structure() }
        case UInt8(ascii: "[")?: try nested(6) { reader throws(JSONFault) in try reader.list() }
        case UInt8(ascii: "\"")?:
            let text = try scanner.string()
            output.tag(3, WireType.lengthDelimited)
            output.lengthDelimited(text)
        case UInt8(ascii: "t")?, UInt8(ascii: "f")?:
            output.tag(4, WireType.varint)
            _ = try value(.bool)
        case UInt8(ascii: "n")?:
            guard scanner.take(word: "null") else { throw scanner.unexpected("a value") }
            output.tag(1, WireType.varint)
            output.varint(0)
        default:
            let number = try double()
            output.tag(2, WireType.fixed64)
            output.fixed(number.bitPattern)
        }
    }

    private mutating func nested(
        _ number: Int, _ body: (inout JSONReader) throws(JSONFault) -> Void
    ) throws(JSONFault) {
        output.tag(number, WireType.lengthDelimited)
        let start = output.beginLength()
        try body(&self)
        output.endLength(start)
    }
}
