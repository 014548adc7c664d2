extension Message {
    /// Canonical proto-JSON; members in the order of field numbers, map members in the order of their keys.
    ///
    /// - Throws: ``JSONError`` for values that JSON has no form for: a timestamp out of range, an `Any` whose
    ///   type is not in `options.types`, a number in `google.protobuf.Value` that is not finite.
    public func jsonString(options: JSONEncodingOptions = JSONEncodingOptions()) throws(JSONError) -> String {
        String(decoding: try jsonBytes(options: options), as: UTF8.self)
    }

    /// Canonical proto-JSON as UTF-8; see ``jsonString(options:)``.
    public func jsonBytes(options: JSONEncodingOptions = JSONEncodingOptions()) throws(JSONError) -> [UInt8] {
        var writer = JSONWriter(options: options)
        do throws(JSONFault) {
            try writer.message(serializedBytes(), Self.schema)
        } catch {
            throw JSONError(error)
        }
        return writer.output.array()
    }

    /// Reads proto-JSON, names as in JSON or as in the .proto file.
    ///
    /// - Throws: ``JSONError`` with the place of the problem. Refused: what is not JSON, unknown members (see
    ///   ``JSONDecodingOptions``), a member or a oneof given twice, numbers out of range, nesting beyond the
    ///   limit.
    public init(jsonString: String, options: JSONDecodingOptions = JSONDecodingOptions()) throws(JSONError) {
        try self.init(jsonBytes: [UInt8](jsonString.utf8), options: options)
    }

    /// Reads proto-JSON from UTF-8; see ``init(jsonString:options:)``.
    public init(jsonBytes: [UInt8], options: JSONDecodingOptions = JSONDecodingOptions()) throws(JSONError) {
        self = try jsonBytes.withBytes { bytes throws(JSONError) in
            try Self(jsonBytes: bytes, options: options)
        }
    }

    /// Reads proto-JSON from UTF-8; see ``init(jsonString:options:)``.
    public init(
        jsonBytes: UnsafeRawBufferPointer, options: JSONDecodingOptions = JSONDecodingOptions()
    ) throws(JSONError) {
        var reader = JSONReader(jsonBytes, options: options)
        do throws(JSONFault) {
            try reader.document(Self.schema)
        } catch {
            throw JSONError(error)
        }
        // A level of google.protobuf.Struct is three messages deep.
        let (depth, overflow) = options.maximumDepth.multipliedReportingOverflow(by: 4)
        let limits = WireLimits(maximumDepth: overflow ? .max : depth)
        do throws(WireError) {
            self = try reader.output.bytes.withBytes { bytes throws(WireError) in
                try Self(serializedBytes: bytes, limits: limits)
            }
        } catch {
            throw JSONError(problem: error.description, path: "", offset: nil)
        }
    }
}

extension Message {
    /// The same message as this library writes it: known fields in order, nothing twice.
    static func canonicalBytes(_ bytes: [UInt8]) throws(WireError) -> [UInt8] {
        try Self(serializedBytes: bytes).serializedBytes(deterministic: true)
    }
}
