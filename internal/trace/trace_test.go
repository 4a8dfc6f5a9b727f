package trace

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// memory is a task's memory from address 0x1000.
type memory []byte

func (m memory) Read(addr uint64, p []byte) linux.Errno {
	if addr < 0x1000 || addr-0x1000 >= uint64(len(m)) {
		return linux.EFAULT
	}
	copy(p, m[addr-0x1000:])
	return 0
}

func (memory) FDPath(fd int) string    { return map[int]string{3: "/etc/passwd"}[fd] }
func (memory) Netlink(int) (int, bool) { return 0, false }
func (memory) Cwd() string             { return "/tmp" }
func (memory) SP() uint64              { return 0 }
func (memory) Now() (int64, int64)     { return 1_000_002_000, 5_000_003_000 }

// words are rows of the kernel's table.
func words(nr int) string {
	return map[int]string{
		linux.SYS_openat: "dirfd path openflags openmode", linux.SYS_access: "path accmode", linux.SYS_read: "fd buf> size",
		linux.SYS_mmap: "ptr size prot mmapflags fd mapoff", linux.SYS_wait4: "pid wstatus> waitflags rusage>",
		linux.SYS_close: "fd", linux.SYS_exit_group: "int", linux.SYS_clone3: "cloneargs clonestored size",
	}[nr]
}

func printer(b *bytes.Buffer, opt Options) *Printer { return NewPrinter(b, opt, 500, words) }

// TestLines compares with lines that strace 6.1 printed.
func TestLines(t *testing.T) {
	mem := make(memory, 4096)
	copy(mem, "/etc/ld.so.cache\x00")
	copy(mem[0x100:], "\x7fELF\x02\x01\x01\x03\x00")
	copy(mem[0x200:], "\x00\x03\x00\x00") // exited with 3
	for _, tt := range []struct {
		nr   int
		args [6]uint64
		ret  int64
		want string
	}{
		{linux.SYS_openat, [6]uint64{1<<64 - 100, 0x1000, linux.O_RDONLY | linux.O_CLOEXEC}, 3, `openat(AT_FDCWD, "/etc/ld.so.cache", O_RDONLY|O_CLOEXEC) = 3`},
		{linux.SYS_access, [6]uint64{0x1000, linux.R_OK}, -int64(linux.ENOENT), `access("/etc/ld.so.cache", R_OK)        = -1 ENOENT (No such file or directory)`},
		{linux.SYS_read, [6]uint64{3, 0x1100, 832}, 9, `read(3, "\177ELF\2\1\1\3\0", 832)       = 9`},
		{linux.SYS_mmap, [6]uint64{0, 8192, 3, linux.MAP_PRIVATE | linux.MAP_ANONYMOUS, 1<<64 - 1, 0}, 0x7f0000000000, `mmap(NULL, 8192, PROT_READ|PROT_WRITE, MAP_PRIVATE|MAP_ANONYMOUS, -1, 0) = 0x7f0000000000`},
		{linux.SYS_wait4, [6]uint64{1<<64 - 1, 0x1200, 0, 0}, 7, `wait4(-1, [{WIFEXITED(s) && WEXITSTATUS(s) == 3}], 0, NULL) = 7`},
		{linux.SYS_close, [6]uint64{3}, 0, `close(3)                                = 0`},
	} {
		var b bytes.Buffer
		p := printer(&b, Options{})
		p.Enter(1, tt.nr, &tt.args, mem)
		p.Exit(1, tt.ret, mem)
		if got := strings.TrimSuffix(b.String(), "\n"); got != tt.want {
			t.Errorf("\n got %s\nwant %s", got, tt.want)
		}
	}
}

func TestUnfinished(t *testing.T) {
	var b bytes.Buffer
	p := printer(&b, Options{})
	mem := make(memory, 4096)
	p.Enter(1, linux.SYS_wait4, &[6]uint64{1<<64 - 1, 0x1000, 0, 0}, mem)
	p.Created(2)
	p.Enter(2, linux.SYS_getpid, &[6]uint64{}, mem)
	p.Exit(2, 2, mem)
	p.Enter(2, linux.SYS_exit_group, &[6]uint64{}, mem)
	p.Exited(2, 0, mem)
	p.Exit(1, 2, mem)
	want := `wait4(-1,  <unfinished ...>
[pid     2] getpid()                    = 2
[pid     2] exit_group(0)               = ?
[pid     2] +++ exited with 0 +++
<... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 2
`
	if b.String() != want {
		t.Errorf("\n got %s\nwant %s", b.String(), want)
	}
}

func TestFilter(t *testing.T) {
	f, err := ParseFilter("%process,read")
	if err != nil || !f.Match(linux.SYS_execve) || !f.Match(linux.SYS_read) || f.Match(linux.SYS_write) {
		t.Errorf("class and name: %v", err)
	}
	f, _ = ParseFilter("!read")
	if f.Match(linux.SYS_read) || !f.Match(linux.SYS_write) {
		t.Error("negation")
	}
	if _, err := ParseFilter("nonsense"); err == nil || err.Error() != "invalid system call 'nonsense'" {
		t.Errorf("unknown call: %v", err)
	}
}

// TestOptions: each changes lines as strace's flag does.
func TestOptions(t *testing.T) {
	mem := make(memory, 4096)
	copy(mem, "/a/long/path\x00")
	copy(mem[0x100:], "0123456789")
	run := func(opt Options) string {
		var b bytes.Buffer
		p := printer(&b, opt)
		p.Enter(7, linux.SYS_read, &[6]uint64{3, 0x1100, 832}, mem)
		p.Exit(7, 10, mem)
		p.Enter(7, linux.SYS_openat, &[6]uint64{1<<64 - 100, 0x1000}, mem)
		p.Exit(7, -int64(linux.ENOENT), mem)
		return b.String()
	}
	const read, open = `read(3, "0123456789", 832)              = 10`, `openat(AT_FDCWD, "/a/long/path", O_RDONLY) = -1 ENOENT (No such file or directory)`
	for _, tt := range []struct {
		name, want string
		opt        Options
	}{
		{"none", read + "\n" + open + "\n", Options{}},
		{"strings", `read(3, "0123"..., 832)                 = 10` + "\n" + open + "\n", Options{Strings: 4}},
		{"no strings", `read(3, ""..., 832)                     = 10` + "\n" + open + "\n", Options{Strings: -1}},
		{"column", `read(3, "0123456789", 832) = 10` + "\n" + open + "\n", Options{Column: 1}},
		{"paths", `read(3</etc/passwd>, "0123456789", 832) = 10` + "\n" + `openat(AT_FDCWD</tmp>, "/a/long/path", O_RDONLY) = -1 ENOENT (No such file or directory)` + "\n", Options{Paths: true}},
		{"pids", `7     read(3, "0123456789", 832)        = 10` + "\n7     " + open + "\n", Options{PIDs: true}},
		{"successful", read + "\n", Options{Status: Successful}},
		{"failed", open + "\n", Options{Status: Failed}},
		{"clock", `00:00:05 read(3, "0123456789", 832)     = 10` + "\n00:00:05 " + open + "\n", Options{Stamp: Clock}},
		{"micros", `00:00:05.000003 read(3, "0123456789", 832) = 10` + "\n00:00:05.000003 " + open + "\n", Options{Stamp: ClockMicros}},
		{"unix", `5.000003 read(3, "0123456789", 832)     = 10` + "\n5.000003 " + open + "\n", Options{Stamp: UnixMicros}},
		{"relative", `     0.000000 read(3, "0123456789", 832) = 10` + "\n     0.000000 " + open + "\n", Options{Stamp: Relative}},
		{"duration", read + " <0.000000>\n" + open + " <0.000000>\n", Options{Duration: true}},
		{"quiet", "", Options{Quiet: true}},
	} {
		if got := run(tt.opt); got != tt.want {
			t.Errorf("%s:\n got %s\nwant %s", tt.name, got, tt.want)
		}
	}
}

func TestSummary(t *testing.T) {
	var b, table bytes.Buffer
	mem := make(memory, 4096)
	p := printer(&b, Options{Summary: true, Quiet: true})
	for ret := int64(-2); ret < 2; ret++ {
		p.Enter(1, linux.SYS_close, &[6]uint64{}, mem)
		p.Exit(1, ret, mem)
	}
	p.Enter(1, linux.SYS_getpid, &[6]uint64{}, mem)
	p.Exit(1, 1, mem)
	if err := p.Summary(&table, "calls"); err != nil {
		t.Fatal(err)
	}
	want := `% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
  0.00    0.000000           0         4         2 close
  0.00    0.000000           0         1           getpid
------ ----------- ----------- --------- --------- ----------------
  0.00    0.000000           0         5         2 total
`
	if table.String() != want || b.Len() != 0 {
		t.Errorf("\n got %s\nwant %s\nand %q", table.String(), want, b.String())
	}
}

func TestSignals(t *testing.T) {
	for _, tt := range []struct {
		set       string
		yes, no   linux.Signal
		malformed bool
	}{
		{set: "SIGCHLD,int", yes: linux.SIGINT, no: linux.SIGTERM},
		{set: "!CHLD", yes: linux.SIGINT, no: linux.SIGCHLD},
		{set: "9", yes: linux.SIGKILL, no: linux.SIGINT},
		{set: "frob", malformed: true},
	} {
		s, err := ParseSignals(tt.set)
		if (err != nil) != tt.malformed || !tt.malformed && (!s.Has(tt.yes) || s.Has(tt.no)) {
			t.Errorf("%s: %v", tt.set, err)
		}
	}
}
