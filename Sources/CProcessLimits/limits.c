// prlimit is there under _GNU_SOURCE only, which Swift's importer does not define.
#define _GNU_SOURCE
#include "CProcessLimits.h"

#include <errno.h>
#include <stddef.h>

#ifdef __linux__
#include <sys/resource.h>
#include <sys/types.h>

static int set(pid_t process, __rlimit_resource_t resource, uint64_t soft, uint64_t hard) {
    struct rlimit limit = {
        .rlim_cur = soft == UINT64_MAX ? RLIM_INFINITY : soft, .rlim_max = hard == UINT64_MAX ? RLIM_INFINITY : hard,
    };
    struct rlimit before;
    if (prlimit(process, resource, NULL, &before) != 0) { return errno; }
    // What the operator allows us is never more than that.
    if (limit.rlim_max > before.rlim_max) { limit.rlim_max = before.rlim_max; }
    if (limit.rlim_cur > limit.rlim_max) { limit.rlim_cur = limit.rlim_max; }
    return prlimit(process, resource, &limit, NULL) == 0 ? 0 : errno;
}

int process_limits_set(int32_t process, const struct process_limits *limits) {
    uint64_t last_second = limits->cpu_seconds == UINT64_MAX ? UINT64_MAX : limits->cpu_seconds + 1;
    int error = set(process, RLIMIT_DATA, limits->data_bytes, limits->data_bytes);
    if (error == 0) { error = set(process, RLIMIT_CPU, limits->cpu_seconds, last_second); }
    if (error == 0) { error = set(process, RLIMIT_FSIZE, limits->file_bytes, limits->file_bytes); }
    if (error == 0) { error = set(process, RLIMIT_CORE, 0, 0); }
    return error;
}
#else
int process_limits_set(int32_t process, const struct process_limits *limits) {
    (void)process;
    (void)limits;
    return ENOSYS;
}
#endif
