import Logging
import Operations
import RPC
import ScmAPI
import SiloRPC
import Storage

/// Who may call what, how often, and what is written down about it.
///
/// ```
/// key or signature -> its rate -> its organization's share of the server -> the audit log -> handler
/// ```
struct GatewayAccess {
    /// Creates and ends keys: for keys with `scm:admin`, on the public port only.
    let keyService: KeyAdministration
    let interceptors: [any ServerInterceptor]
    /// The first of them.
    let keys: APIKeyInterceptor

    /// - Parameter silo: its services are for silos, which have no keys of this kind; nil in a monolith.
    init(database: Database, limits: LimitSettings, logger: Logger, silo: SiloRuntime?) {
        let store = APIKeyStore(database)
        let audit = AuditLog(database, logger: logger, retentionDays: limits.keys.auditRetentionDays)
        let demand = silo?.process.demand
        let guarded = GatewayOperations.guardedServices + [KeyAdministration.serviceName]
        keys = APIKeyInterceptor(
            keys: store, openServices: (silo?.serviceNames ?? []).union([HealthService.name]),
            requiredScopes: Dictionary(uniqueKeysWithValues: guarded.map { ($0, .admin) }),
            signatures: SignatureVerifier(
                keys: store, window: limits.keys.signatureWindow, maximumNonceCount: limits.keys.signatureNonces,
                demand: demand
            ), demand: demand
        )
        keyService = KeyAdministration(keys: store, audit: audit, changed: keys.forget)
        silo?.process.keys?.observe(keys.forget)
        let share = limits.runningCallsPerOrganization ?? max(limits.http.runningHandlers / 4, 1)
        interceptors = [
            keys, KeyRateInterceptor(callsPerMinute: limits.keys.callsPerMinutePerKey),
            OrganizationShareInterceptor(maximumRunningCalls: share),
            AuditInterceptor(
                audit, methods: ScmServiceMethod.types + KeyServiceMethod.types + AdminServiceMethod.types,
                excludedServices: Set(ReflectionService.serviceNames)
            ),
        ]
    }
}
