/// The time that timers of peers go by: as any monotonic clock, but it stands still while this side was held up,
/// because a peer whose bytes wait in the socket meanwhile is not slow.
///
///     real    |----|----|-----------------------|----|        ticks; the third one comes late
///     time    |----|----|----|                  |----|        it counts as one interval, the rest is excused
///
/// However often ticks come late, time goes on with each: an overloaded server still gets rid of slow peers.
struct TickClock {
    private let interval: UInt64
    private var last: UInt64
    private var excused: UInt64 = 0
    private var didSkip = false

    /// - Parameters:
    ///   - interval: nanoseconds between ticks that come in time.
    ///   - now: nanoseconds of any monotonic clock.
    init(interval: UInt64, now: UInt64) {
        self.interval = interval
        last = now
    }

    /// What timers shall take for that moment. It may lie before what was told earlier, by as much as was excused
    /// since.
    func time(_ now: UInt64) -> UInt64 { now &- min(excused, now) }

    /// - Returns: whether timers may end something now. Not at a late tick, since what has arrived may not have been
    ///   read yet; but at the next one, late or not.
    mutating func tick(now: UInt64) -> Bool {
        let elapsed = now &- last
        last = now
        guard elapsed / 3 > interval else {
            didSkip = false
            return true
        }
        excused &+= elapsed &- interval
        didSkip.toggle()
        return !didSkip
    }

    /// Ticks begin, or begin again: nothing was late.
    mutating func start(now: UInt64) { last = now }
}
