import FrameCodec

/// One field, with everything decided that the printers need.
struct FieldModel {
    enum Shape {
        /// A plain value that is left out when it is the default.
        case implicit
        /// `Optional`.
        case explicit
        case repeated
        /// Repeated scalars that are written packed.
        case packed
        case map
    }

    let number: Int
    /// Name in the .proto.
    let name: String
    /// Swift name, in backticks where needed.
    let member: String
    let shape: Shape
    /// Such as `StringField` or `MessageField<Repository>`.
    let codec: String
    /// Swift type of one value; of a map, the whole dictionary.
    let valueType: String
    /// Swift expression for the value of an absent implicit field.
    let defaultValue: String
    /// Holds its own message again: needs storage on the heap.
    let isRecursive: Bool
    /// Index of a oneof that the .proto spells out; nil for the invented ones of `optional`.
    let oneof: Int?
    /// proto2 `[default = ...]` as a Swift expression.
    let declaredDefault: String?
    let documentation: String

    /// Type of the property.
    var propertyType: String {
        switch shape {
        case .implicit, .map: valueType
        case .explicit: valueType + "?"
        case .repeated, .packed: "[\(valueType)]"
        }
    }

    /// Value of the property in an empty message.
    var initialValue: String {
        switch shape {
        case .implicit: defaultValue
        case .explicit: "nil"
        case .repeated, .packed: "[]"
        case .map: "[:]"
        }
    }
}

enum SwiftLiteral {
    /// A string literal with everything escaped that needs it.
    static func string(_ value: String) -> String {
        var literal = "\""
        for scalar in value.unicodeScalars {
            switch scalar {
            case "\"", "\\": literal += "\\\(scalar)"
            case "\n": literal += "\\n"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                literal += "\\u{\(String(scalar.value, radix: 16))}"
            default: literal.unicodeScalars.append(scalar)
            }
        }
        return literal + "\""
    }
}
