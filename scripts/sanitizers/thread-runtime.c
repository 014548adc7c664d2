// Tells ThreadSanitizer of two handovers inside Swift's own libraries, which it cannot see because they are not built with
// it (Swift 6.3 on Linux). Loaded before everything else; see scripts/test-sanitized.
//
// 1. A contended `Mutex` (Synchronization) is taken and given back in libswiftSynchronization. Its other paths are compiled
//    into our code and seen.
// 2. A continuation that is resumed before its task has got as far as waiting is not enqueued: the task finds the result and
//    goes on. `swift_continuation_resume` tells of its half, `swift_continuation_await` does not.
//
// Without this both look like data races of whatever the lock or the continuation guards.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>

#if !defined(__x86_64__) || !defined(__linux__)
#error "the functions are written for Linux on x86-64"
#endif

__attribute__((weak)) void __tsan_acquire(void *address);
__attribute__((weak)) void __tsan_release(void *address);
__attribute__((weak)) void *swift_task_getCurrent(void);

#define LOCK_SLOW "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define UNLOCK_SLOW "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
#define AWAIT "swift_continuation_await"

__attribute__((visibility("hidden"), used)) void *real_lock;
__attribute__((visibility("hidden"), used)) void *real_unlock;
__attribute__((visibility("hidden"), used)) void *real_await;

__attribute__((constructor)) static void find(void) {
    real_lock = dlsym(RTLD_NEXT, LOCK_SLOW);
    real_unlock = dlsym(RTLD_NEXT, UNLOCK_SLOW);
    real_await = dlsym(RTLD_NEXT, AWAIT);
}

__attribute__((visibility("hidden"), used)) void acquire(void *address) {
    if (__tsan_acquire != NULL && address != NULL) { __tsan_acquire(address); }
}

__attribute__((visibility("hidden"), used)) void release(void *address) {
    if (__tsan_release != NULL && address != NULL) { __tsan_release(address); }
}

__attribute__((visibility("hidden"), used)) void acquire_task(void) {
    if (swift_task_getCurrent != NULL) { acquire(swift_task_getCurrent()); }
}

// Swift's conventions: the handle is in r13, and the last function must be left by a jump, with its argument in rdi.
__asm__(
    ".text\n"
    ".globl \"" LOCK_SLOW "\"\n"
    ".type \"" LOCK_SLOW "\", @function\n"
    "\"" LOCK_SLOW "\":\n"
    "    subq $8, %rsp\n"
    "    call *real_lock(%rip)\n"
    "    movq %r13, %rdi\n"
    "    call acquire\n"
    "    addq $8, %rsp\n"
    "    ret\n"
    ".globl \"" UNLOCK_SLOW "\"\n"
    ".type \"" UNLOCK_SLOW "\", @function\n"
    "\"" UNLOCK_SLOW "\":\n"
    "    subq $8, %rsp\n"
    "    movq %r13, %rdi\n"
    "    call release\n"
    "    addq $8, %rsp\n"
    "    jmp *real_unlock(%rip)\n"
    ".globl " AWAIT "\n"
    ".type " AWAIT ", @function\n"
    AWAIT ":\n"
    "    pushq %rdi\n"
    "    call acquire_task\n"
    "    popq %rdi\n"
    "    jmp *real_await(%rip)\n");
