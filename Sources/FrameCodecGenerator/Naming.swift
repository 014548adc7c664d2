/// How protobuf names become Swift names.
enum Naming {
    /// Words that Swift writes in capitals, when they are not the first word.
    private static let capitals = ["id": "ID", "ids": "IDs", "url": "URL", "urls": "URLs", "sha": "SHA", "shas": "SHAs"]

    /// `repository_id` -> `repositoryID`, not yet safe as an identifier.
    static func lowerCamelCase(_ name: String) -> String {
        let words = name.split(separator: "_")
        guard let first = words.first else { return name }
        return lowerFirst(String(first)) + words.dropFirst().map { upperWord(String($0)) }.joined()
    }

    /// `repository_id` -> `RepositoryID`.
    static func upperCamelCase(_ name: String) -> String {
        name.split(separator: "_").map { upperWord(String($0)) }.joined()
    }

    /// A property, a parameter or a function.
    static func member(_ name: String) -> String { identifier(lowerCamelCase(name)) }

    /// `GetRepository` -> `getRepository`, `URLOf` -> `urlOf`.
    static func method(_ name: String) -> String {
        let upper = name.prefix { $0.isUppercase }
        let runLength = upper.count > 1 && upper.count < name.count ? upper.count - 1 : max(upper.count, 1)
        return identifier(name.prefix(runLength).lowercased() + name.dropFirst(runLength))
    }

    /// A message, an enum or a service; protobuf already uses UpperCamelCase.
    static func type(_ name: String) -> String {
        let upper = name.prefix(1).uppercased() + name.dropFirst()
        if unusable.contains(upper) { return upper + "_" }
        return upper == "Any" ? "`Any`" : upper
    }

    /// `PROVIDER_GITHUB` of `Provider` -> `github`, when every value has the prefix.
    static func enumCases(_ values: [String], of enumName: String) -> [String] {
        let prefix = upperSnakeCase(enumName) + "_"
        let strips = values.allSatisfy { value in
            value.uppercased().hasPrefix(prefix) && value.dropFirst(prefix.count).first?.isLetter == true
        }
        return values.map { value in
            let name = strips ? String(value.dropFirst(prefix.count)) : value
            return member(name.contains { $0.isLowercase } ? name : name.lowercased())
        }
    }

    /// `SCMProvider` -> `SCM_PROVIDER`.
    static func upperSnakeCase(_ name: String) -> String {
        let characters = Array(name)
        var result = ""
        for (index, character) in characters.enumerated() {
            let previous = index > 0 ? characters[index - 1] : nil
            let next = index + 1 < characters.count ? characters[index + 1] : nil
            let startsWord =
                previous?.isLowercase == true || previous?.isNumber == true || next?.isLowercase == true
            if character.isUppercase, startsWord, let previous, previous != "_" { result += "_" }
            result += character.uppercased()
        }
        return result
    }

    private static func upperWord(_ word: String) -> String {
        capitals[word] ?? word.prefix(1).uppercased() + word.dropFirst()
    }

    private static func lowerFirst(_ word: String) -> String {
        word.allSatisfy { $0.isUppercase || $0.isNumber }
            ? word.lowercased() : word.prefix(1).lowercased() + word.dropFirst()
    }

    /// Makes a member name safe: keywords in backticks, names that a message needs itself with an underscore.
    static func identifier(_ name: String) -> String {
        if unusable.contains(name) || reservedMembers.contains(name) { return name + "_" }
        if name.first?.isNumber == true { return "_" + name }
        return keywords.contains(name) ? "`\(name)`" : name
    }

    /// Names that Swift does not allow there even in backticks, or that would change meaning.
    private static let unusable: Set<String> = ["Type", "Protocol", "Self", "self", "init"]

    /// Members of `Message`, `OpenEnum` and their parents.
    private static let reservedMembers: Set<String> = [
        "unknownFields", "schema", "encodedByteCount", "visit", "debugDescription", "customMirror", "hashValue",
        "rawValue"
    ]

    private static let keywords: Set<String> = [
        "as", "associatedtype", "break", "case", "catch", "class", "continue", "default", "defer", "deinit",
        "do",
        "else", "enum", "extension", "fallthrough", "false", "fileprivate", "for", "func", "guard", "if",
        "import",
        "in", "inout", "internal", "is", "let", "nil", "operator", "precedencegroup", "private", "protocol",
        "public",
        "repeat", "rethrows", "return", "static", "struct", "subscript", "super", "switch", "throw", "throws",
        "true",
        "try", "typealias", "var", "where", "while"
    ]
}
