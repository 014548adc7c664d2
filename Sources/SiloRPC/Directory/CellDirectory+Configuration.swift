import FrameCodec

extension SiloConfiguration {
    /// Reads the configuration file's text: JSON of `silo.v1.SiloConfiguration`. A name that does not exist is an
    /// error, not a setting without effect.
    ///
    /// - Throws: ``SiloError/configuration(_:)``.
    public init(json: String) throws(SiloError) {
        do { self = try SiloConfiguration(jsonString: json) } catch {
            throw .configuration("the silo configuration cannot be read: \(error)")
        }
    }
}

extension CellDirectory {
    /// Name of the only cell when the configuration has none.
    public static let defaultFallbackCell = "monolith"

    /// - Throws: ``SiloError/configuration(_:)`` that names the setting.
    public init(_ configuration: SiloConfiguration) throws(SiloError) {
        let fallback = try Self.one(
            configuration.fallbackCell, "fallbackCell", or: configuration.monolithRegion, "monolithRegion")
        let cells = try Self.one(configuration.cells, "cells", or: configuration.regions, "regions")
        try self.init(
            cells: try cells.map(Cell.init(_:)),
            localities: try configuration.localities.map(Locality.init(_:)),
            fallbackCell: try Self.name(fallback.isEmpty ? Self.defaultFallbackCell : fallback, "fallbackCell"),
            controlAddress: configuration.controlAddress.isEmpty ? nil : configuration.controlAddress,
            publicURL: configuration.publicURL.isEmpty ? nil : configuration.publicURL,
            isSingleOrganization: configuration.singleOrganization
        )
    }

    /// The value of a setting that has an old name. Both may be there, for readers of before, when they say the same.
    static func one<Value: Collection & Equatable>(
        _ value: Value, _ name: String, or old: Value, _ oldName: String
    ) throws(SiloError) -> Value {
        guard value.isEmpty || old.isEmpty || value == old else {
            throw .configuration("\(name) and \(oldName), its old name, are both there and differ; remove \(oldName)")
        }
        return value.isEmpty ? old : value
    }

    static func name(_ text: String, _ setting: String) throws(SiloError) -> CellName {
        do throws(SiloError) { return try CellName(text) } catch {
            throw .configuration("\(setting): \(error)")
        }
    }
}

extension Cell {
    init(_ configuration: CellConfiguration) throws(SiloError) {
        self.init(
            name: try CellDirectory.name(configuration.name, "cells"),
            snowflakeID: Int(configuration.snowflakeID),
            address: configuration.address,
            gatewayAddress: configuration.gatewayAddress.isEmpty ? nil : configuration.gatewayAddress,
            isVisible: !configuration.hidden
        )
    }
}

extension Locality {
    init(_ configuration: LocalityConfiguration) throws(SiloError) {
        let setting = "localities: \(configuration.name)"
        let texts = try CellDirectory.one(
            configuration.cells, "\(setting): cells", or: configuration.regions, "regions")
        let cells = try texts.map { text throws(SiloError) in try CellDirectory.name(text, setting) }
        let new = configuration.newOrganizationCell
        guard !new.isEmpty || cells.count == 1 else {
            throw .configuration("\(setting): newOrganizationCell is missing; it may be left out for one cell only")
        }
        self.init(
            name: configuration.name, cells: Set(cells),
            category: configuration.category == .singleTenant ? .singleTenant : .multiTenant,
            newOrganizationCell: new.isEmpty ? cells[0] : try CellDirectory.name(new, setting),
            isVisible: !configuration.hidden, isSignUpVisible: !configuration.hiddenAtSignUp
        )
    }
}
