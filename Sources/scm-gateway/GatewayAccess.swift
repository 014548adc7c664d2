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

    /// - Parameter siloServices: services whose callers are silos; they have no keys of this kind.
    init(database: Database, limits: LimitSettings, logger: Logger, siloServices: Set<String> = []) {
        let store = APIKeyStore(database)
        let audit = AuditLog(database, logger: logger, retentionDays: limits.keys.auditRetentionDays)
        keyService = KeyAdministration(keys: store, audit: audit)
        let guarded = GatewayOperations.guardedServices + [KeyAdministration.serviceName]
        keys = APIKeyInterceptor(
            keys: store, openServices: siloServices.union([HealthService.name]),
            requiredScopes: Dictionary(uniqueKeysWithValues: guarded.map { ($0, .admin) }),
            signatures: SignatureVerifier(
                keys: store, window: limits.keys.signatureWindow, maximumNonceCount: limits.keys.signatureNonces
            )
        )
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
