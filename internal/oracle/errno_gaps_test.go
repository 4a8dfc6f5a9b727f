//go:build linux && amd64

package oracle

// errnoGaps are rows that tine answers otherwise than Linux, by table and row,
// with what tine lacks. A row that tine gives as Linux does must leave the list.
var errnoGaps = map[string]string{
	"signals/futex: CMP_REQUEUE_PI onto itself":                "not implemented",
	"signals/futex: CMP_REQUEUE_PI that wakes two":             "not implemented",
	"signals/futex: WAIT_REQUEUE_PI onto itself":               "not implemented",
	"process/clone3: a stack in the kernel's half":             "a check is missing",
	"process/clone3: INTO_CGROUP with a bad descriptor":        "a check is missing",
	"process/clone3: INTO_CGROUP with another kind of file":    "a check is missing",
	"process/clone3: INTO_CGROUP with a descriptor of 40 bits": "a check is missing",
	"process/waitid: a pidfd of -1":                            "a check is missing",
	"process/pidfd_send_signal: siginfo of another signal":     "a check is missing",
	"process/setpgid: a negative pid":                          "a check is missing",
	"process/sched_getattr: nobody":                            "not implemented",
	"process/sched_getattr: a size too small":                  "not implemented",
	"process/sched_getattr: a size over a page":                "not implemented",
	"process/sched_getattr: flags":                             "not implemented",
	"process/sched_getattr: NULL":                              "not implemented",
	"process/sched_getattr: a negative pid":                    "not implemented",
	"process/sched_setattr: NULL":                              "not implemented",
	"process/sched_setattr: flags":                             "not implemented",
	"process/sched_setattr: an unknown policy":                 "not implemented",
	"process/sched_setattr: a size too small":                  "not implemented",
	"process/ptrace: nobody":                                   "not implemented",
	"process/ptrace: itself":                                   "not implemented",
	"users/ioprio_set: a process of root's":                    "a check is missing",
	"users/get_robust_list: a process of root's":               "a check is missing",
	"users/open: /proc of a process of root's":                 "a check is missing",
	"users/readlink: exe of a process of root's":               "a check is missing",
	"users/fcntl: F_SETLEASE on a file of another":             "a check is missing",
	"fds/fcntl: F_SETOWN to nobody":                            "a check is missing",
	"fds/fcntl: F_SETOWN to INT_MIN":                           "a check is missing",
}
