import HTTPTransport

extension CellDirectory {
    /// Largest snowflake id of a cell: its part of an id has ten bits.
    public static let maximumSnowflakeID = 1023

    /// - Throws: ``SiloError/configuration(_:)``: names or addresses given twice, snowflake ids out of bounds or given
    ///   twice, no cell that is the fallback, localities that do not have every cell exactly once, or make
    ///   organizations in a cell of others.
    func validate() throws(SiloError) {
        try validateCells()
        var owners: [CellName: String] = [:]
        var names: Set<String> = []
        for locality in localities {
            guard !locality.name.isEmpty, names.insert(locality.name).inserted else {
                throw .configuration("localities: the name \"\(locality.name)\" is empty or there twice")
            }
            for cell in locality.cells.sorted() {
                if let other = owners.updateValue(locality.name, forKey: cell) {
                    throw .configuration(
                        "localities: the cell \"\(cell)\" is in \(other) and in \(locality.name); a cell has one")
                }
                guard cells.contains(where: { $0.name == cell }) else {
                    throw .configuration(
                        "localities: \(locality.name) has a cell \"\(cell)\" that is not among the cells")
                }
            }
            guard locality.cells.contains(locality.newOrganizationCell) else {
                throw .configuration(
                    "localities: \(locality.name) makes new organizations in \"\(locality.newOrganizationCell)\", "
                        + "which is not one of its cells"
                )
            }
        }
        if let homeless = cells.first(where: { owners[$0.name] == nil }) {
            throw .configuration("localities: no locality has the cell \"\(homeless.name)\"")
        }
    }

    private func validateCells() throws(SiloError) {
        var names: Set<CellName> = []
        var snowflakes: Set<Int> = []
        for cell in cells {
            guard names.insert(cell.name).inserted else {
                throw .configuration("cells: there are two cells \"\(cell.name)\"")
            }
            guard (0...Self.maximumSnowflakeID).contains(cell.snowflakeID) else {
                throw .configuration(
                    "cells: \(cell.name): snowflakeId \(cell.snowflakeID) is not within 0 to \(Self.maximumSnowflakeID)"
                )
            }
            guard snowflakes.insert(cell.snowflakeID).inserted else {
                throw .configuration("cells: \(cell.name): snowflakeId \(cell.snowflakeID) is another cell's already")
            }
        }
        try validateAddresses()
        guard names.contains(fallbackCell) else {
            let all = names.sorted().map(\.description).joined(separator: ", ")
            throw .configuration("fallbackCell: there is no cell \"\(fallbackCell)\"; name one of \(all)")
        }
    }

    /// Calls for one silo must not arrive at another one.
    private func validateAddresses() throws(SiloError) {
        var owners: [String: String] = [:]
        func take(_ address: String?, _ setting: String) throws(SiloError) {
            guard let address, !address.isEmpty else { return }
            let bare = (address.hasSuffix("/") ? address.dropLast() : address[...]).lowercased()
            guard let other = owners.updateValue(setting, forKey: bare) else { return }
            throw .configuration("\(setting): \(address) is the address of \(other) already; each silo has its own")
        }
        try take(controlAddress, "controlAddress")
        for cell in cells { try take(cell.address, "cells: \(cell.name)") }
    }

    /// - Throws: ``SiloError/configuration(_:)`` when there is no such cell.
    public func checkPlace(of silo: SiloAddress) throws(SiloError) {
        guard case .cell(let name) = silo, !cells.contains(where: { $0.name == name }) else { return }
        let all = cells.map(\.name.description).joined(separator: ", ")
        throw .configuration("cell: there is no cell \"\(name)\" in the configuration; there are \(all)")
    }

    /// Whether every silo can be called: what a process that is one of several needs.
    ///
    /// - Throws: ``SiloError/configuration(_:)`` that names the setting: an address is missing, or is no base URL.
    public func checkAddresses() throws(SiloError) {
        try Self.check(controlAddress ?? "", "controlAddress", "control.internal")
        for cell in cells {
            try Self.check(cell.address, "cells: \(cell.name): address", "\(cell.name).internal")
            if let gateway = cell.gatewayAddress {
                try Self.check(gateway, "cells: \(cell.name): gatewayAddress", "\(cell.name).internal")
            }
        }
    }

    private static func check(_ address: String, _ setting: String, _ host: String) throws(SiloError) {
        let example = "a base URL such as https://\(host):8443"
        guard !address.isEmpty else { throw .configuration("\(setting) is missing; it is \(example)") }
        guard ["http://", "https://"].contains(where: address.lowercased().hasPrefix) else {
            throw .configuration("\(setting): \"\(address.prefix(256))\" is not \(example)")
        }
        do { _ = try ConnectionTarget(address) } catch { throw .configuration("\(setting): \(error)") }
    }
}
