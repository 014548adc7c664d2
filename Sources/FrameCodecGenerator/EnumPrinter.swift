/// Prints one enum as an open struct.
struct EnumPrinter {
    let context: FileContext
    let enumeration: Descriptors.EnumDescriptorProto
    let scope: [String]
    let path: [Int32]

    init(
        _ enumeration: Descriptors.EnumDescriptorProto, enclosing: [String], path: [Int32],
        context: FileContext
    ) {
        self.context = context
        self.enumeration = enumeration
        self.path = path
        scope = enclosing + [enumeration.name ?? ""]
    }

    func print(to printer: inout SourcePrinter) throws(GeneratorError) {
        let type = Naming.type(enumeration.name ?? "")
        let number = context.swift("Int32")
        let cases = Naming.enumCases(enumeration.value.map { $0.name ?? "" }, of: enumeration.name ?? "")
        let repeated = try repeatedNames(cases)
        printer.documentation(context.comments[path])
        try printer.block("\(context.access)struct \(type): \(context.runtime("OpenEnum")) {") {
            printer throws(GeneratorError) in
            for (index, value) in enumeration.value.enumerated() where !repeated.contains(index) {
                printer.documentation(context.comments[path + [DescriptorPath.enumValue, Int32(index)]])
                printer.line("\(context.access)static let \(cases[index]) = Self(rawValue: \(value.number ?? 0))")
            }
            printer.line("\(context.access)let rawValue: \(number)")
            printer.line("\(context.access)init(rawValue: \(number)) { self.rawValue = rawValue }")
            let schema = context.runtime("EnumSchema")
            let file = FileDescriptorPrinter.member(context.path)
            printer.line(
                "\(context.access)static let schema = \(schema)(.\(file), \(DescriptorPath.positions(path)))")
        }
    }

    /// Positions of the aliases that differ in case only, such as `MOO` and `moo` for one number: one Swift
    /// name serves both.
    private func repeatedNames(_ cases: [String]) throws(GeneratorError) -> Set<Int> {
        var seen: [String: Descriptors.EnumValueDescriptorProto] = [:]
        var repeated: Set<Int> = []
        for (index, (name, value)) in zip(cases, enumeration.value).enumerated() {
            guard let other = seen[name] else {
                seen[name] = value
                continue
            }
            guard other.number == value.number else {
                throw context.error(
                    scope.joined(separator: "."),
                    "\(other.name ?? "") and \(value.name ?? "") would both be called \(name) in Swift; "
                        + "rename one")
            }
            repeated.insert(index)
        }
        return repeated
    }
}
