/// Something in the input that cannot be turned into Swift; the text says where and what to do.
public struct GeneratorError: Error, Sendable, Equatable, CustomStringConvertible {
    public let description: String

    init(_ description: String) {
        self.description = description
    }

    /// `file: element: problem`.
    init(file: String, element: String, _ problem: String) {
        description = "\(file): \(element): \(problem)"
    }
}
