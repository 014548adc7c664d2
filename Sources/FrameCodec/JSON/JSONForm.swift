/// What proto-JSON makes of a message.
enum JSONForm: Sendable, Hashable {
    /// An object with a member for each field: every message that is not well known.
    case fields
    case timestamp, duration, fieldMask
    case any
    /// An object with any members, any JSON value, an array.
    case structure, value, list
    /// `google.protobuf.Int32Value` and its like: the value of field 1 alone.
    case wrapper

    init(messageName: String) {
        switch messageName {
        case "google.protobuf.Timestamp": self = .timestamp
        case "google.protobuf.Duration": self = .duration
        case "google.protobuf.FieldMask": self = .fieldMask
        case "google.protobuf.Any": self = .any
        case "google.protobuf.Struct": self = .structure
        case "google.protobuf.Value": self = .value
        case "google.protobuf.ListValue": self = .list
        case "google.protobuf.DoubleValue", "google.protobuf.FloatValue", "google.protobuf.Int64Value",
            "google.protobuf.UInt64Value", "google.protobuf.Int32Value", "google.protobuf.UInt32Value",
            "google.protobuf.BoolValue", "google.protobuf.StringValue", "google.protobuf.BytesValue":
            self = .wrapper
        default: self = .fields
        }
    }
}
