#ifndef C_PROCESS_LIMITS_H
#define C_PROCESS_LIMITS_H

#include <stdint.h>

/// What a process may take, beyond what all of its user's may; UINT64_MAX for no limit.
struct process_limits {
    /// Processor time of all of its threads: SIGXCPU, and SIGKILL one second later.
    uint64_t cpu_seconds;
    /// Memory that it writes to. Files that it maps to read them, such as packs, do not count.
    uint64_t data_bytes;
    /// Largest file that it may write; pipes do not count.
    uint64_t file_bytes;
};

/// Limits a process that runs, and what it starts from now on; no core dumps either.
///
/// @return 0, or the errno of the first limit that could not be set: ENOSYS where the system has no such call.
int process_limits_set(int32_t process, const struct process_limits *limits);

#endif
