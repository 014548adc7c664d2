extension CellDirectory {
    /// Largest snowflake id of a cell: its part of an id has ten bits.
    public static let maximumSnowflakeID = 1023

    /// - Throws: ``SiloError/configuration(_:)``: names given twice, snowflake ids out of bounds or given twice, no
    ///   cell that is the fallback, localities that do not have every cell exactly once, or make organizations in a
    ///   cell of others.
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
        guard names.contains(fallbackCell) else {
            let all = names.sorted().map(\.description).joined(separator: ", ")
            throw .configuration("fallbackCell: there is no cell \"\(fallbackCell)\"; name one of \(all)")
        }
    }
}
