// What the programs for the comparison of traces share: each makes calls whose
// arguments say something, between the two marks.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define S(name, ...) syscall(SYS_##name, ##__VA_ARGS__)
#define PID ((int)syscall(SYS_getpid)) // S does not expand inside itself
#define TID ((int)syscall(SYS_gettid))
#define BEGIN S(close_range, 3, ~0U, 0), S(write, -1, "begin", 5)
#define END S(write, -1, "end", 3)
#define BAD ((void *)0x10) // an address that nothing is mapped at
