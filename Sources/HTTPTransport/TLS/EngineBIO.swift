import COpenSSL

/// The two ends that OpenSSL reads records from and writes them to, in memory: it reads the piece that the engine is
/// being fed, and writes to the engine's output. Nothing is buffered between, as OpenSSL's own memory BIOs would do
/// (and keep) for every connection.
enum EngineBIO {
    /// `@unchecked Sendable`: made once, never changed.
    private struct Method: @unchecked Sendable {
        let pointer: OpaquePointer?
    }

    private static let method: Method = {
        let method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "TLSEngine")
        BIO_meth_set_read(method) { read($0, $1, $2) }
        BIO_meth_set_write(method) { write($0, $1, $2) }
        BIO_meth_set_ctrl(method) { control($0, $1, $2, $3) }
        return Method(pointer: method)
    }()

    /// A BIO whose reference passes to the caller. `engine` must outlive it.
    static func make(for engine: TLSEngine) -> OpaquePointer? {
        guard let bio = BIO_new(method.pointer) else { return nil }
        BIO_set_data(bio, Unmanaged.passUnretained(engine).toOpaque())
        BIO_set_init(bio, 1)
        return bio
    }

    private static func read(_ bio: OpaquePointer?, _ target: UnsafeMutablePointer<CChar>?, _ count: CInt) -> CInt {
        guard let bio, let target, count > 0, let engine = engine(bio) else { return -1 }
        shim_BIO_clear_retry_flags(bio)
        let taken = engine.takeInput(into: UnsafeMutableRawBufferPointer(start: target, count: Int(count)))
        if taken > 0 { return CInt(taken) }
        shim_BIO_set_retry_read(bio)
        return -1
    }

    private static func write(_ bio: OpaquePointer?, _ source: UnsafePointer<CChar>?, _ count: CInt) -> CInt {
        guard let bio, let source, count > 0, let engine = engine(bio) else { return -1 }
        shim_BIO_clear_retry_flags(bio)
        engine.output.writeBytes(UnsafeRawBufferPointer(start: source, count: Int(count)))
        return count
    }

    private static func control(_: OpaquePointer?, _ command: CInt, _: Int, _: UnsafeMutableRawPointer?) -> Int {
        command == BIO_CTRL_FLUSH ? 1 : 0
    }

    private static func engine(_ bio: OpaquePointer) -> TLSEngine? {
        BIO_get_data(bio).map { Unmanaged<TLSEngine>.fromOpaque($0).takeUnretainedValue() }
    }
}
