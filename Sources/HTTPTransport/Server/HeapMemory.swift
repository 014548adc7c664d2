/// What glibc keeps of memory that answers have left.
///
/// As it starts, it gives the end of the heap back to the system as soon as 128 KiB there are free, and takes larger
/// blocks from the system one by one: a server of large answers then waits for new pages, a fault for each 4 KiB,
/// again and again. It learns from the first larger block that is given back: blocks of that size come from the heap
/// from then on, and twice as much may stay free at its end.
enum HeapMemory {
    private static let learnedByteCount = 1 << 20

    /// Once in a process. The block is never touched, so it takes no memory; where the C library is another one, or the
    /// operator has chosen (`GLIBC_TUNABLES`), nothing changes.
    static let isPrepared: Bool = {
        UnsafeMutableRawPointer.allocate(byteCount: learnedByteCount, alignment: 16).deallocate()
        return true
    }()
}
