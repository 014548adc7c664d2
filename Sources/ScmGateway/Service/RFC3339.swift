import FrameCodec
import Foundation

/// Times as text, for error details.
enum RFC3339 {
    /// `2026-11-21T10:00:00Z`.
    static func text(_ time: Protobuf.Timestamp) -> String {
        Date(timeIntervalSince1970: Double(time.seconds)).formatted(.iso8601)
    }
}
