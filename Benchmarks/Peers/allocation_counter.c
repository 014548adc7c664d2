// Counts what a thread allocates. Preloaded (LD_PRELOAD) into every program of scripts/benchmark-peers: C's allocator
// is what Swift objects, C++ `new` and arenas end in, so one counter is fair to all of them. Frees are not counted.
//
// With ALLOCATION_COUNT_FILE in the environment, the allocations of all threads are counted there too (eight bytes), for
// another process to read: `Benchmarks server`.
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

// glibc's own functions behind the names that are wrapped here.
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *memory, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static __thread uint64_t count __attribute__((tls_model("initial-exec")));

static _Atomic(uint64_t) *total;

uint64_t benchmark_allocation_count(void) { return count; }

__attribute__((constructor)) static void share_total(void) {
    const char *path = getenv("ALLOCATION_COUNT_FILE");
    int file = path == NULL ? -1 : open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0) return;
    if (ftruncate(file, sizeof *total) == 0) {
        void *memory = mmap(NULL, sizeof *total, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (memory != MAP_FAILED) total = memory;
    }
    close(file);
}

static void did_allocate(void) {
    count++;
    if (total != NULL) atomic_fetch_add_explicit(total, 1, memory_order_relaxed);
}

void *malloc(size_t size) {
    did_allocate();
    return __libc_malloc(size);
}

void *calloc(size_t number, size_t size) {
    did_allocate();
    return __libc_calloc(number, size);
}

void *realloc(void *memory, size_t size) {
    did_allocate();
    return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
    did_allocate();
    return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) { return memalign(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size) {
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)) != 0) return EINVAL;
    void *memory = memalign(alignment, size);
    if (memory == NULL) return ENOMEM;
    *result = memory;
    return 0;
}
