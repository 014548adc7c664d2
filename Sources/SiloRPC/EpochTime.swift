import Foundation

/// Times as the database stores them: milliseconds since 1970 UTC.
public enum EpochTime {
    /// The wall clock now.
    public static var now: Int64 { Int64(Date().timeIntervalSince1970 * 1000) }
}
