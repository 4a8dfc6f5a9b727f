package model

import "strings"

// guests gives the names of tests of guest programs.
func guests(names ...string) []string {
	for i, n := range names {
		names[i] = "TestGuests/" + n
	}
	return names
}

// Names reports whether the table names a test or one above it.
func Names(test string) bool {
	for _, row := range Rows {
		for _, st := range row.Statements {
			for _, t := range st.Tests {
				if test == t || strings.HasPrefix(test, t+"/") {
					return true
				}
			}
		}
	}
	return false
}

// Rows is the process model.
var Rows = []Row{
	{"P1", "fork", []Statement{
		{"The parent gets the child's pid, the child 0; both go on with equal images", guests("fork_return")},
		{"n forks make 2^n processes; each child has its own status", guests("fork_tree")},
		{"At RLIMIT_NPROC: EAGAIN, and no child exists", guests("fork_limit")},
		{"At the machine's limit of processes: EAGAIN, and the machine goes on", []string{"TestFailures/fork_bomb"}},
		{"At the machine's limit of memory a process ends, not the machine", []string{"TestFailures/memory_beyond_-m_in_a_child"}},
	}},
	{"P2", "one path", []Statement{
		{"FILES, FS, VM, SIGHAND: just what the flag names is shared", guests("clone_share")},
		{"PARENT_SETTID, CHILD_SETTID, CHILD_CLEARTID, PIDFD, PARENT, VFORK, CLEAR_SIGHAND", guests("clone_ids")},
		{"THREAD, SETTLS and the join by CHILD_CLEARTID", guests("clone_thread")},
		{"Exit signals, UNTRACED, PTRACE, IO, DETACHED, SYSVSEM; PARENT keeps its maker's exit signal", guests("clone_flags")},
		{"clone3 with set_tid", guests("clone_settid")},
		{"Illegal combinations give EINVAL and make no child", append(guests("clone_illegal", "clone_matrix"), "TestErrnos/process")},
		{"NEWUTS, NEWNS, NEWIPC, NEWNET, NEWUSER; unshare and setns", guests("unshare_ns")},
		{"NEWNS: mounts propagate to peers and slaves, by peer group, and as user namespaces allow", guests("mount_propagation")},
		{"NEWPID", guests("pidns_outside", "pidns")},
		{"CLONE_INTO_CGROUP; groups are frozen, killed and removed", guests("cgroup_core")},
	}},
	{"P3", "the steps", []Statement{
		{"The child is marked as forked but not exec'd; the mark of root's rights starts cleared", guests("fork_flags")},
		{"Child first or parent first by a setting", []string{"TestOrder"}},
		{"The run queue's order; the child takes part of its parent's slice", []string{"internal/kernel:TestRunQueueOrder"}},
		{"A child that ends early leaves the rest of its slice to its parent", []string{"internal/kernel:TestSliceReturns"}},
	}},
	{"P4", "what differs", []Statement{
		{"pid, ppid; no pending signals, alarms, timers, CPU times, record locks, memory locks", guests("fork_differs")},
		{"POSIX timers, semaphore adjustments, MCL_FUTURE, the parent-death signal, counts of I/O", guests("fork_differs_more")},
		{"Only the calling thread exists", guests("thread_fork")},
		{"Record locks are a process's own", guests("locks")},
		{"Usage starts at zero", guests("wait_usage")},
	}},
	{"P5", "what is inherited", []Statement{
		{"Descriptions with offset and flags, cwd, umask, handlers, mask, environment, group, nice, limits, mappings", guests("fork_inherits")},
		{"Root, groups, capabilities, affinity, policy, personality, timer slack, alternate stack, oom_score_adj, no_new_privs, segments", guests("fork_inherits_more")},
		{"Session and process group", guests("groups")},
		{"Holes, fallocate, copies and files without a name, on disk and in memory", guests("file_holes", "file_tmpfile")},
		{"Files, pipes and sockets are shared between parent and child", guests("files", "pipes", "unix_sockets", "inet")},
		{"The controlling terminal", guests("pty_more")},
	}},
	{"P6", "vfork", []Statement{
		{"The parent stands still until exec or exit; the child's writes are its own", guests("vfork")},
		{"Other threads go on; signals wait; a stopped child keeps it waiting", guests("vfork_threads")},
	}},
	{"P7", "threads", []Statement{
		{"One address space, own tid, shared pid, TLS", guests("thread_ids", "clone_thread")},
		{"A racing counter races; with a lock it never does", guests("thread_race", "thread_mutex")},
		{"Conditions, barriers, read-write locks, semaphores, once", guests("thread_cond")},
		{"futex: wait, wake, requeue, bit sets, WAKE_OP, timeouts, private and shared", guests("futex", "futex_ops")},
		{"Futexes with priority inheritance", guests("futex_pi")},
		{"Robust lists", guests("thread_robust", "futex_robust")},
		{"Restartable sequences (rseq) know their processor and are aborted", guests("rseq")},
		{"Cancellation", guests("thread_cancel")},
		{"tgkill, and signals for the process", guests("thread_signal")},
		{"exit_group; the leader may end first", guests("thread_exit_group", "thread_leader")},
		{"fork and exec by a thread", guests("thread_fork", "exec_threads")},
		{"Go's goroutines, unmodified", []string{"TestCommands/go/goroutines"}},
	}},
	{"P8", "many", []Statement{
		{"Hundreds of children at once, all reaped", guests("fork_tree")},
		{"100,000 live processes", []string{"TestMany/processes"}},
		{"A million zombies", []string{"TestMany/zombies"}},
		{"Fork bombs stop at the limit", []string{"TestFailures/fork_bomb"}},
	}},
	{"M1", "copy-on-write", []Statement{
		{"A write after fork copies the page, whoever writes, the kernel too; each is one minor fault", guests("cow")},
		{"The last owner writes in place; read-only pages are never copied", guests("cow_kinds")},
		{"MAP_SHARED memory, memfd and segments stay one memory", guests("cow", "memfd_shm", "mmap")},
		{"The tables split on write only", []string{"internal/mm:TestForkCopiesOnWriteOnly", "internal/mm:TestRandomAgainstModel"}},
	}},
	{"M2", "cost", []Statement{
		{"fork copies no page and no table", []string{"internal/mm:TestForkCopiesOnWriteOnly"}},
		{"A process of most of the machine's memory forks twenty times", []string{"TestFailures/forks_of_a_large_process"}},
	}},
	{"M3", "visible", []Statement{
		{"smaps turns Private to Shared and back page by page; statm, VmRSS", guests("cow_smaps")},
		{"ru_minflt counts", guests("cow")},
	}},
	{"M4", "exec after fork", []Statement{
		{"exec gives the borrowed pages back: they are the parent's own again, without a fault", guests("exec_after_fork")},
	}},
	{"M5", "protection", []Statement{
		{"SIGSEGV with MAPERR and ACCERR and the address; guard pages", guests("segv_codes")},
		{"SIGBUS past the end of a file", guests("sigbus")},
		{"A handler that mends the cause", guests("segv_mend")},
		{"The stack grows to its limit; overflow", guests("stack")},
		{"MAP_GROWSDOWN", guests("growsdown")},
		{"mmap, mprotect, mremap, brk, madvise", append(guests("mmap", "mremap", "brk_madvise"), "TestErrnos/memory")},
		{"Memory over the machine's limit ends a process, not tine", []string{"TestFailures/memory_beyond_-m"}},
	}},
	{"X1", "execve", []Statement{
		{"Same pid, new image, argv[0] as given; all of the exec family; execveat, fexecve, posix_spawn", guests("exec_family")},
		{"Each failure has its errno and leaves the old image", append(guests("exec_errors"), "TestErrnos/process")},
		{"#! scripts", guests("exec_script")},
		{"noexec mounts refuse to run and to map; a mount with writers does not become read-only", guests("mount_flags")},
		{"pivot_root, bind mounts and lazy umounts as containers use them", guests("mount_propagation")},
		{"ELF files by hand: static, position independent, with an interpreter, broken", guests("exec_elf")},
	}},
	{"X2", "what survives", []Statement{
		{"Descriptors, cwd, mask, pending and ignored signals, alarm, limits stay; handlers, close-on-exec, mappings go", guests("exec_survives")},
		{"POSIX timers, segments, shared tables, floating point modes end; timer slack, no_new_privs, queued signals stay", guests("exec_ends")},
		{"Other threads end", guests("exec_threads", "thread_exit_group")},
	}},
	{"X3", "set-user-ID", []Statement{
		{"A setuid or setgid file changes effective and saved id; no_new_privs stops it", guests("setuid_file")},
		{"The set*id calls; the saved id allows going back", guests("setuid_ids")},
		{"nosuid and noexec mounts; scripts; chown and write clear the bits", guests("mount_flags", "setuid_file")},
		{"Capabilities: bounding, inheritable, ambient, keepcaps, securebits", guests("caps")},
		{"Rights of a plain user, and in a user namespace", append(guests("unshare_ns"), "TestErrnos/users")},
		{"Credentials of a peer", guests("unix_sockets")},
	}},
	{"X4", "environment", []Statement{
		{"argc, argv, envp, auxv as the ABI lays them out", guests("argv_auxv")},
		{"export reaches children; PATH search by shell and library", guests("env_path", "exec_family")},
	}},
	{"E1", "exit", []Statement{
		{"exit flushes and runs handlers, _exit does not", guests("exit_handlers")},
		{"The status word", guests("status_words")},
		{"The core bit", guests("core_bit")},
		{"The core file: who gets one, its name and mode, what is in it", append(guests("core_file"), "TestCoreFiles")},
	}},
	{"E2", "abnormal end", []Statement{
		{"SIGFPE, SIGSEGV, SIGILL, SIGTRAP, SIGBUS from the processor, with their codes", guests("fault_signals")},
		{"Single step, floating point exceptions by code, privileges, a fault in a handler", guests("fault_more")},
		{"What debug registers watch for", guests("debug_registers")},
		{"Default actions of all signals", guests("status_words")},
	}},
	{"E3", "zombie", []Statement{
		{"An ended child stays with its status until waited for, its image freed", guests("zombie")},
		{"Z and <defunct> in ps", guests("zombie_ps")},
		{"SIGCHLD merges, tells how; a handler that reaps in a loop", guests("sigchld")},
		{"SIG_IGN and SA_NOCLDWAIT reap at once", guests("autoreap")},
		{"A leader that ends before its threads", guests("thread_leader")},
	}},
	{"E4", "wait", []Statement{
		{"Any, one, group; WNOHANG, WUNTRACED, WCONTINUED; ECHILD", guests("wait_options", "stop_cont")},
		{"waitid, WNOWAIT, WEXITED, pidfds", guests("waitid_pidfd")},
		{"__WALL, __WCLONE, __WNOTHREAD", guests("wait_clone")},
		{"Usage of reaped children accumulates", guests("wait_usage")},
	}},
	{"E5", "orphans", []Statement{
		{"To the nearest subreaper", guests("orphan", "daemon")},
		{"Sibling threads come first", guests("sibling_threads")},
		{"Otherwise to PID 1 of the namespace", guests("pidns", "pidns_outside")},
		{"PR_SET_PDEATHSIG", guests("pdeathsig")},
		{"Orphaned stopped groups get SIGHUP and SIGCONT", guests("orphaned_group")},
	}},
	{"E6", "init", []Statement{
		{"PID 1 runs boot scripts, restarts logins, reaps every orphan", guests("init_boot")},
		{"Signals it does not handle cannot hurt it; its end ends all", guests("pidns", "pidns_outside")},
		{"tine's own PID 1: its end ends the machine", []string{"TestInit"}},
		{"A daemon that forks twice is kept by its manager", guests("daemon")},
	}},
	{"O1", "scheduling", []Statement{
		{"nice, setpriority, policies, affinity are set, read, inherited, refused; no spinner starves another", guests("sched")},
		{"Shares by nice; FIFO, RR, IDLE, RESET_ON_FORK; sched_setattr", guests("sched_more")},
		{"Weights as Linux has them", []string{"internal/kernel:TestWeights"}},
	}},
	{"O2", "who is first", []Statement{
		{"Parent first and child first by a setting", []string{"TestOrder"}},
		{"One seed, one run; all interleavings are found", []string{"TestSeeds"}},
	}},
	{"G1", "signals", []Statement{
		{"SIGINFO, NODEFER, RESETHAND, ONSTACK, sa_mask", guests("signal_flags", "sigaltstack_more")},
		{"Queues of real-time signals", guests("signal_queue")},
		{"sigsuspend, sigwait, signalfd", guests("signal_wait")},
		{"EINTR and restart, call by call", guests("signal_restart", "signal_restart_calls")},
		{"Registers and floating point state survive a handler", guests("signal_state", "avx_state", "xsave")},
		{"Stops and continuing", guests("stop_cont")},
		{"Whom kill reaches; kill -s NAME of shells", guests("kill_who")},
		{"SIGPIPE; SIGIO", guests("pipes", "sigio")},
		{"POSIX message queues: priorities, waiting, notification", guests("mqueue")},
		{"Leases: who holds one is told, who is in its way waits", guests("leases")},
		{"SIGCHLD; SIGHUP and SIGCONT for an orphaned group; one thread's signals and the process's", guests("sigchld", "orphaned_group", "thread_signal")},
		{"Waiting for files and signals at once", guests("polling")},
		{"SIGPIPE, SIGURG, and transfers that signals and ends cut short", guests("rw_corners", "splice", "tcp_urgent", "unix_urgent")},
	}},
	{"G2", "terminals", []Statement{
		{"Ctrl-C, Ctrl-Z, Ctrl-\\, hang-up, SIGTTIN, SIGTTOU, window size", guests("pty_control")},
		{"The line discipline", append(guests("pty_termios"), "internal/tty:TestLikeHost")},
		{"Sessions: TIOCSCTTY, TIOCNOTTY, TOSTOP, orphaned readers, hang-up of the group", guests("pty_more", "pty_session", "pty_wait")},
		{"Job control of bash and dash", guests("pty_shells")},
		{"Instances of devpts, as containers mount them", guests("devpts")},
		{"Sessions and groups", guests("groups")},
	}},
	{"G3", "limits", []Statement{
		{"NOFILE, AS, DATA, FSIZE, CPU, prlimit", guests("rlimits")},
		{"STACK, MEMLOCK, NICE, RTPRIO, what kills", guests("rlimits_more")},
		{"ulimit shows and sets them", guests("ulimit_all")},
		{"NPROC, CORE", guests("fork_limit", "core_bit")},
	}},
	{"G4", "timers", []Statement{
		{"alarm, setitimer, timer_create, timerfd, nanosleep, clock_*", guests("timers")},
		{"All clocks, to a point, by thread, overruns", guests("timers_more")},
		{"Timers on processor time", guests("cpu_timers")},
		{"In virtual time sleep jumps ahead", []string{"TestVirtualTime"}},
	}},
	{"K1", "system calls", []Statement{
		{"By number; only rcx and r11 are lost", guests("syscalls", "absent")},
		{"select, poll, epoll, eventfd", guests("polling")},
		{"int 0x80 with the 32-bit numbers", guests("int80", "int80_more")},
		{"Calls that a program has forbidden itself, or that another decides about", guests("seccomp_filter", "seccomp_notify")},
		{"Calls that a tracer makes for a program; the old getdents", guests("ptrace_emulate")},
		{"An unknown number is ENOSYS, named once in the log", []string{"TestUnknownCall"}},
		{"Twelve hundred wrong calls have Linux's errors", []string{"TestErrnos"}},
	}},
	{"K2", "looking", []Statement{
		{"/proc/PID and /proc", guests("proc_self", "proc_more", "proc_files")},
		{"ps, pgrep, kill", append(guests("zombie_ps"), "TestCommands/proc_readers")},
		{"The host side as JSON", []string{"cmd/tine:TestScripts/look"}},
	}},
	{"K3", "seeing it happen", []Statement{
		{"Text like strace, timeline, family tree, events", []string{"cmd/tine:TestScripts/trace"}},
	}},
}
