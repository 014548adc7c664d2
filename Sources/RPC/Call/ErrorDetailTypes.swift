import FrameCodec

extension GoogleRPC {
    /// The messages that errors carry as details. JSON of a message with an error in it, such as a batch's answer,
    /// needs them:
    /// `Any` is written as the JSON of what it holds.
    public static let errorDetails = MessageRegistry([
        Status.self, ErrorInfo.self, RetryInfo.self, DebugInfo.self, QuotaFailure.self, PreconditionFailure.self,
        BadRequest.self, RequestInfo.self, ResourceInfo.self, Help.self, LocalizedMessage.self,
    ])
}
