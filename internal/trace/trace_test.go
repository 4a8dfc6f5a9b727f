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
		p := NewPrinter(&b, Filter{})
		p.Enter(1, tt.nr, tt.args, mem)
		p.Exit(1, tt.ret, mem)
		if got := strings.TrimSuffix(b.String(), "\n"); got != tt.want {
			t.Errorf("\n got %s\nwant %s", got, tt.want)
		}
	}
}

func TestUnfinished(t *testing.T) {
	var b bytes.Buffer
	p := NewPrinter(&b, Filter{})
	mem := make(memory, 4096)
	p.Enter(1, linux.SYS_wait4, [6]uint64{1<<64 - 1, 0x1000, 0, 0}, mem)
	p.Enter(2, linux.SYS_getpid, [6]uint64{}, mem)
	p.Exit(2, 2, mem)
	p.Enter(2, linux.SYS_exit_group, [6]uint64{}, mem)
	p.Exited(2, 0)
	p.Exit(1, 2, mem)
	want := `wait4(-1,  <unfinished ...>
[pid     2] getpid()                    = 2
[pid     2] exit_group(0)               = ?
[pid     2] +++ exited with 0 +++
[pid     1] <... wait4 resumed>[{WIFEXITED(s) && WEXITSTATUS(s) == 0}], 0, NULL) = 2
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
