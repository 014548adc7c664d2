import FrameCodec
import Foundation
import RPC
import SiloRPC
import Storage

extension ScmGatewayService {
    /// Changes rows once for each request id: the same request again gets the answer of the first.
    ///
    /// - Parameter memory: nil for a request without an id.
    /// - Throws: INVALID_ARGUMENT when the id was used for another request; what `change` throws.
    func once<Answer: Message>(
        _ memory: IdempotentRequest?, _ change: @escaping @Sendable (WriteTransaction) throws -> Answer
    ) async throws -> Answer {
        try await mappingStorageErrors {
            try await self.database.write { transaction in
                switch try memory?.recall(transaction.reading) {
                case .answered(let bytes): return try Answer(serializedBytes: bytes)
                case .differs: throw IdempotentRequest.differentBody
                case .unknown, nil: break
                }
                let answer = try change(transaction)
                try memory?.remember(answer.serializedBytes(), transaction)
                return answer
            }
        }
    }
}

extension IdempotentRequest {
    /// - Parameter body: everything in the request that matters, in a fixed order.
    /// - Throws: INVALID_ARGUMENT unless the id is a UUID.
    init(method: String, requestID: String, organizationID: Int64, body: [String]) throws(RPCError) {
        guard let id = UUID(uuidString: requestID) else {
            throw RPCError.badField("request_id", "a request id is a UUID")
        }
        let bytes = body.flatMap { Array("\($0.utf8.count):".utf8) + Array($0.utf8) }
        self.init(
            organizationID: organizationID, method: method, requestID: id.uuidString, bodyHash: SHA256.digest(bytes)
        )
    }

    static var differentBody: RPCError {
        RPCError.badField("request_id", "this request id was used for another request within the last 24 hours")
    }
}
