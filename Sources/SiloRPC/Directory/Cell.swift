/// One deployment that holds organizations' rows.
public struct Cell: Sendable, Hashable {
    public let name: CellName
    /// For minting ids only, never an identity.
    public let snowflakeID: Int
    /// Base URL for calls between silos, such as `https://us1.internal:8443`.
    public let address: String
    /// Base URL for public traffic that control hands on; nil for ``address``.
    public let gatewayAddress: String?
    /// False hides it from lists.
    public let isVisible: Bool

    public init(
        name: CellName, snowflakeID: Int = 0, address: String, gatewayAddress: String? = nil, isVisible: Bool = true
    ) {
        self.name = name
        self.snowflakeID = snowflakeID
        self.address = address
        self.gatewayAddress = gatewayAddress
        self.isVisible = isVisible
    }
}

/// What customers see of cells: a named group of them, such as `us` of `us1` and `us2`.
public struct Locality: Sendable, Hashable {
    public enum Category: String, Sendable, Hashable {
        case multiTenant, singleTenant
    }

    public let name: String
    public let cells: Set<CellName>
    public let category: Category
    /// Where new organizations are made.
    public let newOrganizationCell: CellName
    public let isVisible: Bool
    /// Offered to those who sign up.
    public let isSignUpVisible: Bool

    public init(
        name: String, cells: Set<CellName>, category: Category = .multiTenant, newOrganizationCell: CellName,
        isVisible: Bool = true, isSignUpVisible: Bool = true
    ) {
        self.name = name
        self.cells = cells
        self.category = category
        self.newOrganizationCell = newOrganizationCell
        self.isVisible = isVisible
        self.isSignUpVisible = isSignUpVisible
    }
}
