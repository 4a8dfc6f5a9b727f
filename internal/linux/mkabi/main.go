// Command mkabi writes the numbers of the Linux x86-64 ABI as Go files: it asks
// the C compiler for the values that the system's headers give them.
//
// Run it with go generate on a Linux host with gcc and the kernel's headers.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// headers are what the values come from; the order avoids the known clashes
// between the C library's and the kernel's own.
const headers = `
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <ucontext.h>
#include <poll.h>
#include <sched.h>
#include <unistd.h>
#include <stdio.h>
#include <string.h>
#include <limits.h>
#include <elf.h>
#include <termios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/uio.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/personality.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/sem.h>
#include <sys/msg.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/ip.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sockios.h>
#include <linux/openat2.h>
#include <linux/membarrier.h>
#include <linux/ioprio.h>
#include <linux/seccomp.h>
#include <linux/close_range.h>
#include <linux/xattr.h>
#include <linux/reboot.h>
#include <asm/prctl.h>
`

// prefixes select the macros, file by file.
var prefixes = map[string]string{
	"zsyscall.go": `SYS_`,
	"zconst.go": `O_|F_|FD_|AT_|S_I|PROT_|MAP_|MADV_|MREMAP_|MS_|MCL_|MLOCK_|PKEY_|ADJ_|STA_|CLONE_|CSIGNAL|W(NOHANG|UNTRACED|STOPPED|EXITED|CONTINUED|NOWAIT)$|__W|` +
		`FUTEX_|PR_|ARCH_|RLIMIT_|RLIM_|RUSAGE_|CLOCK_|TIMER_|TFD_|EPOLL|EFD_|SFD_|IN_|POLL|TIOC|TC[A-Z]+$|FIO|` +
		`I(GN|STR|INL|CRN|XON|XOF|XAN|UCLC|MAXBEL|UTF8)|IXO|IXANY|IUTF8|IUCLC|IMAXBEL|O(POST|LCUC|NLCR|CRNL|NOCR|NLRET|FILL|FDEL)$|` +
		`C(SIZE|S5|S6|S7|S8|STOPB|READ|LOCAL|RTSCTS)$|PAR(ENB|ODD|MRK)$|HUPCL|INPCK|BRKINT|IGN(BRK|PAR|CR)|IS(IG|TRIP)|I(CANON|EXTEN|CRNL|NLCR)|` +
		`ECHO|NOFLSH|TOSTOP|FLUSHO|PENDIN|EXTPROC|XCASE|V(INTR|QUIT|ERASE|KILL|EOF|TIME|MIN|SWTC|START|STOP|SUSP|EOL|REPRINT|DISCARD|WERASE|LNEXT|EOL2)$|B38400$|NCCS|` +
		`TAB[0-9D]|XTABS|` +
		`AF_|SOCK_|SO_|SOL_|MSG_|SCM_|SHUT_|IPPROTO_|TCP_|IP_|IPV6_|INADDR_|SIOC|NETLINK_|NLM_|NLMSG_|RTM_|IFA_|IFLA_|RTA_|IFF_|` +
		`SCHED_|PRIO_|SEEK_|LOCK_|[A-Z0-9]+_MAGIC$|CGROUP2_SUPER_MAGIC$|PT_[LINPTG]|PF_[RWX]$|ET_|EM_X86_64|EM_386|CAP_|PER_|ADDR_NO|READ_IMPLIES|UNAME26|` +
		`LINUX_REBOOT|RB_|MFD_|MNT_|UMOUNT_|GRND_|RESOLVE_|IPC_|SHM_|SEM_|SET(VAL|ALL)$|GET(VAL|ALL|PID|NCNT|ZCNT)$|ITIMER_|` +
		`SA_|SI_|SIG_|SIGEV_|SS_|SEGV_|BUS_|ILL_|FPE_|TRAP_|CLD_|MINSIGSTKSZ|PATH_MAX|NAME_MAX|UIO_MAXIOV|PIPE_BUF|R_OK|W_OK|X_OK|F_OK|` +
		`FALLOC_|XATTR_(CREATE|REPLACE|NAME_MAX|SIZE_MAX|LIST_MAX)$|POSIX_FADV|SYNC_FILE|SPLICE_F|CLOSE_RANGE|MEMBARRIER_|IOPRIO|SECCOMP_|SECBIT|STATX_|RENAME_|P_(ALL|PID|PGID|PIDFD)$|DT_|RWF_|NI_|` +
		`FS_IOC|FICLONE|SOMAXCONN|RT_|UTIME_|ST_[A-Z]+$|SIOCINQ|SIOCOUTQ`,
}

// skip are macros whose value is no integer constant or that clash.
var skip = regexp.MustCompile(`^(SIG_(ERR|HOLD|DFL|IGN|IGN)|SYS_(NAME|call)|` +
	`IN_(CLASS|MULTI|BADCLASS|EXPERI|LOOPBACKNET).*|S_IS.*\(|IP_MSFILTER.*|SS_|CAP_TO_.*|CAP_OPT.*|RB_NODE|SO_ATTACH.*FILTER_|NI_.*|AF_MAX|PF_MAX|CLOCK_TAI_|` +
	`MAP_HUGE_.*|IOPRIO_(PRIO|NORM|BE|CLASS_SHIFT).*|SIOCPROTOPRIVATE|PR_SET_PTRACER_ANY|F_ULOCK|F_LOCK|F_TEST|F_TLOCK|O_LARGEFILE)$`)

// newCalls are the system calls from newCallsFrom on, which are younger than
// the headers of the distribution this is run on.
const newCallsFrom = 451

var newCalls = strings.Fields("cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue " +
	"statmount listmount lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal")

func addNewCalls(list []constant) []constant {
	for i, name := range newCalls {
		c := constant{"SYS_" + name, strconv.Itoa(newCallsFrom + i)}
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	slices.SortFunc(list, func(a, b constant) int { return strings.Compare(a.name, b.name) })
	return list
}

func main() {
	log.SetFlags(0)
	macros := macroNames()
	for file, prefix := range prefixes {
		re := regexp.MustCompile(`^(` + prefix + `)`)
		var names []string
		for _, m := range macros {
			if re.MatchString(m) && !skip.MatchString(m) && !strings.HasPrefix(m, "SYS_") == (file != "zsyscall.go") {
				names = append(names, m)
			}
		}
		list := values(names)
		if file == "zsyscall.go" {
			list = addNewCalls(list)
		}
		write(file, list)
	}
	writeErrno(macros)
}

// macroNames lists the object-like macros that the headers define.
func macroNames() []string {
	out := run("gcc", headers, "-dM", "-E", "-")
	re := regexp.MustCompile(`(?m)^#define ([A-Z_][A-Za-z0-9_]*) (.+)$`)
	var names []string
	for _, m := range re.FindAllStringSubmatch(out, -1) {
		names = append(names, m[1])
	}
	for _, e := range []string{"P_ALL", "P_PID", "P_PGID", "P_PIDFD", "SIGEV_SIGNAL", "SIGEV_NONE", "SIGEV_THREAD", "SIGEV_THREAD_ID",
		"SHUT_RD", "SHUT_WR", "SHUT_RDWR", "SCM_RIGHTS", "SCM_CREDENTIALS"} {
		if !slices.Contains(names, e) {
			names = append(names, e)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// constant is a name and its value.
type constant struct{ name, value string }

// values compiles a program that prints the value of each name; names that are
// no integer constants drop out.
func values(names []string) (list []constant) {
	var probe strings.Builder
	probe.WriteString(headers)
	probe.WriteString("int main(void){\n")
	lines := map[int]string{}
	line := strings.Count(headers, "\n") + 2
	for _, n := range names {
		fmt.Fprintf(&probe, "{ enum { v = (%s) ? 1 : 0 }; printf(\"%s %%lld\\n\", (long long)(%s)); }\n", n, n, n)
		lines[line] = n
		line++
	}
	probe.WriteString("}\n")
	bad := map[string]bool{}
	cmd := exec.Command("gcc", "-w", "-fmax-errors=0", "-fsyntax-only", "-xc", "-")
	cmd.Stdin = strings.NewReader(probe.String())
	errs, _ := cmd.CombinedOutput()
	for _, m := range regexp.MustCompile(`(?m)^<stdin>:(\d+):\d+: error`).FindAllSubmatch(errs, -1) {
		var l int
		fmt.Sscan(string(m[1]), &l)
		bad[lines[l]] = true
	}
	var prog strings.Builder
	prog.WriteString(headers)
	prog.WriteString("int main(void){\n")
	for _, n := range names {
		if !bad[n] {
			fmt.Fprintf(&prog, "printf(\"%s %%lld\\n\", (long long)(%s));\n", n, n)
		}
	}
	prog.WriteString("}\n")
	for _, l := range strings.Split(strings.TrimSpace(runProgram(prog.String())), "\n") {
		name, v, _ := strings.Cut(l, " ")
		list = append(list, constant{goName(name), v})
	}
	return list
}

func goName(c string) string { return strings.TrimPrefix(c, "__") }

func write(file string, list []constant) {
	var b bytes.Buffer
	b.WriteString("// Code generated by mkabi; DO NOT EDIT.\n\npackage linux\n\nconst (\n")
	seen := map[string]bool{}
	for _, c := range list {
		if !seen[c.name] {
			seen[c.name] = true
			fmt.Fprintf(&b, "%s = %s\n", c.name, c.value)
		}
	}
	b.WriteString(")\n")
	if file == "zsyscall.go" {
		b.WriteString("\nvar syscallNames = map[int]string{\n")
		for _, c := range list {
			fmt.Fprintf(&b, "%s: %q,\n", c.name, strings.TrimPrefix(c.name, "SYS_"))
		}
		b.WriteString("}\n")
	}
	save(file, b.Bytes())
}

// writeErrno writes the error numbers with their names and messages.
func writeErrno(macros []string) {
	re := regexp.MustCompile(`^E[A-Z0-9]+$`)
	prog := headers + "int main(void){\n"
	for _, m := range macros {
		if re.MatchString(m) && !strings.HasPrefix(m, "ECHO") && !strings.HasPrefix(m, "EPOLL") && !strings.HasPrefix(m, "EFD") && !strings.HasPrefix(m, "ELF") && !strings.HasPrefix(m, "EI") || slices.Contains([]string{"EINVAL", "EIO", "EINTR", "EISDIR", "EISCONN", "EISNAM", "EILSEQ", "EIDRM", "EINPROGRESS"}, m) {
			prog += fmt.Sprintf("#ifdef %s\nif (strstr(\"EV ET EM EXIT EXTA EXTB EXTPROC EXTEN EOF\", \"%s\") == 0 && %s > 0 && %s < 134) printf(\"%s %%d %%s\\n\", %s, strerror(%s));\n#endif\n", m, m, m, m, m, m, m)
		}
	}
	prog += "}\n"
	var b bytes.Buffer
	b.WriteString("// Code generated by mkabi; DO NOT EDIT.\n\npackage linux\n\n// Error numbers (errno(3)).\nconst (\n")
	var names, msgs bytes.Buffer
	seen := map[string]bool{}
	for _, l := range strings.Split(strings.TrimSpace(runProgram(prog)), "\n") {
		f := strings.SplitN(l, " ", 3)
		fmt.Fprintf(&b, "%s Errno = %s\n", f[0], f[1])
		if f[0] == "EWOULDBLOCK" || f[0] == "EDEADLOCK" || f[0] == "ENOTSUP" || seen[f[1]] {
			continue
		}
		seen[f[1]] = true
		fmt.Fprintf(&names, "%s: %q,\n", f[1], f[0])
		fmt.Fprintf(&msgs, "%s: %q,\n", f[1], f[2])
	}
	fmt.Fprintf(&b, ")\n\nvar errnoNames = [134]string{\n%s}\n\nvar errnoMessages = [134]string{\n%s}\n", names.String(), msgs.String())
	save("zerrno.go", b.Bytes())
}

func save(file string, src []byte) {
	out, err := format.Source(src)
	if err != nil {
		log.Fatalf("%s: %v\n%s", file, err, src)
	}
	if err := os.WriteFile(file, out, 0o644); err != nil {
		log.Fatal(err)
	}
}

func run(name, stdin string, args ...string) string {
	cmd := exec.Command(name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	out, err := cmd.Output()
	if err != nil {
		log.Fatalf("%s: %v", name, err)
	}
	return string(out)
}

func runProgram(src string) string {
	dir, err := os.MkdirTemp("", "mkabi")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	exe := filepath.Join(dir, "a")
	cmd := exec.Command("gcc", "-w", "-xc", "-", "-o", exe)
	cmd.Stdin = strings.NewReader(src)
	if out, err := cmd.CombinedOutput(); err != nil {
		log.Fatalf("gcc: %v\n%s", err, out)
	}
	return run(exe, "")
}
