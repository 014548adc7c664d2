import Logging

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#elseif canImport(Darwin)
    import Darwin
#endif

/// File descriptors that the process may have open.
enum DescriptorLimit {
    /// For the database, the repositories' files and the pipes of git processes.
    private static let reserve = 512

    /// Raises the soft limit to the hard one: shells give 1024, which is less than the connections that are allowed.
    /// Says so when the hard one is too low as well; accepting then pauses while descriptors are short.
    static func raise(for connections: Int, logger: Logger) {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            limit.rlim_cur = limit.rlim_max
            guard setrlimit(resource, &limit) == 0 else { return }
        }
        let (needed, overflow) = connections.addingReportingOverflow(reserve)
        guard overflow || limit.rlim_cur < UInt64(clamping: needed) else { return }
        logger.notice(
            "the limit of open files is too low for all connections",
            metadata: ["openFiles": "\(limit.rlim_cur)", "limit": "connections = \(connections)"]
        )
    }
}
