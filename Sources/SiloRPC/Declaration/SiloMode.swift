/// What a process is: everything, the control silo, or one of the cells.
public enum SiloMode: String, Sendable, Hashable, CaseIterable {
    /// The default: every service is local.
    case monolith
    /// The one deployment that holds global rows. May call any cell.
    case control
    /// One of many deployments that hold organizations' rows. May call control only.
    case cell

    /// Reads a setting: nothing is ``monolith``; `region` is the old name of ``cell``.
    ///
    /// - Throws: ``SiloError/configuration(_:)`` for any other text.
    public init(setting: String?) throws(SiloError) {
        guard let setting, !setting.isEmpty else {
            self = .monolith
            return
        }
        guard let mode = SiloMode(rawValue: setting == "region" ? "cell" : setting) else {
            throw .configuration("mode: there is no mode \"\(setting)\"; use monolith, control or cell")
        }
        self = mode
    }
}

/// Where a service's rows live.
public enum SiloHome: String, Sendable, Hashable {
    case control, cell
}

/// The name of a cell: 1 to 48 characters of `a-z`, `0-9` and `-`. A cell is no locality, and no organization's slug.
public struct CellName: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// 48, as the columns that hold it.
    public static let maximumByteCount = 48

    public let description: String

    /// - Throws: ``SiloError/invalid(_:)``.
    public init(_ text: String) throws(SiloError) {
        let isAllowed = text.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || byte == UInt8(ascii: "-")
        }
        guard isAllowed, (1...Self.maximumByteCount).contains(text.utf8.count) else {
            throw .invalid(
                "\"\(text.prefix(Self.maximumByteCount))\" is not the name of a cell: "
                    + "it has 1 to \(Self.maximumByteCount) characters of a-z, 0-9 and \"-\""
            )
        }
        description = text
    }

    public static func < (left: CellName, right: CellName) -> Bool { left.description < right.description }
}

/// Who a process is, and where a call goes.
public enum SiloAddress: Sendable, Hashable, CustomStringConvertible {
    case control
    case cell(CellName)

    /// `control` or `cell:NAME`, as in metadata, keys and logs.
    public var description: String {
        switch self {
        case .control: "control"
        case .cell(let name): "cell:\(name)"
        }
    }

    /// Reads what ``description`` gives; nil for anything else.
    public init?(_ text: String) {
        if text == "control" {
            self = .control
        } else if text.hasPrefix("cell:"), let name = try? CellName(String(text.dropFirst("cell:".count))) {
            self = .cell(name)
        } else {
            return nil
        }
    }

    var home: SiloHome {
        switch self {
        case .control: .control
        case .cell: .cell
        }
    }
}
