//go:build linux

package fstest

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// names are what operations are tried on: few, so that they meet. None leads
// out of the directory, for the host's side is real.
var names = []string{
	"a", "b", "c", "a/b", "a/c", "b/a", "b/c", "a/b/c", "b/c/a", "./a", "a/.", "a/..", "a/../b", "b/", "a/b/",
	"c/a", "l", "l/a", "l/", "c/", ".", "a/b/../../c", "", "a//b", strings.Repeat("n", 255), strings.Repeat("n", 256),
}

// targets are what symbolic links point to.
var targets = []string{"a", "b", "../a", "a/b", "l", "./c", "nowhere", "b/", strings.Repeat("./", 100) + "a"}

// op is one operation.
type op struct {
	kind      string
	name, to  string
	flags     int
	mode      uint32
	size, off int64
	data      string
}

func (o *op) String() string {
	short := func(s string) string {
		if len(s) > 20 {
			return s[:5] + "..." + fmt.Sprint(len(s))
		}
		return s
	}
	return fmt.Sprintf("%s(%q, %q, %#x, %#o, %d, %d, %d bytes)", o.kind, short(o.name), short(o.to), o.flags, o.mode, o.size, o.off, len(o.data))
}

// chmodMode is the mode that chmod sets: now and then with set-id and sticky
// bits.
func (o *op) chmodMode() uint32 { return o.mode | uint32(o.size)%8<<9 | 0o500 }

// result is what an operation gave.
type result struct {
	errno linux.Errno
	text  string
}

var kinds = []string{
	"open", "open", "open", "open", "mkdir", "mkdir", "rmdir", "unlink", "unlink", "rename", "rename", "rename", "link",
	"symlink", "chmod", "truncate", "readlink", "stat", "lstat", "mkfifo", "readdir", "access", "utimes", "append",
}

var openFlags = []int{
	unix.O_RDONLY, unix.O_RDWR, unix.O_CREAT | unix.O_RDWR, unix.O_CREAT | unix.O_EXCL | unix.O_RDWR,
	unix.O_CREAT | unix.O_TRUNC | unix.O_WRONLY, unix.O_TRUNC | unix.O_RDWR, unix.O_DIRECTORY,
	unix.O_NOFOLLOW | unix.O_RDONLY, unix.O_CREAT | unix.O_NOFOLLOW | unix.O_RDWR, unix.O_PATH,
	unix.O_PATH | unix.O_NOFOLLOW, unix.O_CREAT | unix.O_RDWR,
}

func randomOp(r *rand.Rand) *op {
	pick := func(s []string) string { return s[r.IntN(len(s))] }
	o := &op{kind: pick(kinds), name: pick(names), to: pick(names), mode: uint32(r.IntN(0o1000)) | 0o300*uint32(r.IntN(4)/3)}
	o.size, o.off = int64(r.IntN(20000)), int64(r.IntN(12000))
	switch o.kind {
	case "open":
		o.flags = openFlags[r.IntN(len(openFlags))] | unix.O_NONBLOCK
		o.data = strings.Repeat(string(rune('a'+r.IntN(26))), r.IntN(6000))
	case "append":
		o.data = strings.Repeat(string(rune('A'+r.IntN(26))), r.IntN(6000))
	case "rename":
		o.flags = []int{0, 0, 0, unix.RENAME_NOREPLACE, unix.RENAME_EXCHANGE, 99}[r.IntN(6)]
	case "symlink":
		o.to = pick(targets)
	case "link":
		o.flags = []int{0, unix.AT_SYMLINK_FOLLOW}[r.IntN(2)]
	}
	return o
}

// Compare performs n random operations in the directory dir of the context's
// tree, which must be empty, and in a directory of the host, and fails at the
// first difference.
func Compare(t *testing.T, c *vfs.Context, dir string, seed uint64, n int) {
	t.Helper()
	CompareFrom(t, c, dir, HostDir(t), seed, n)
}

// HostDir makes an empty directory on the host, some levels below the test's
// own: links that point upwards stay inside that.
func HostDir(t *testing.T) string {
	dir := filepath.Join(t.TempDir(), "1", "2", "3", "dir")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// CompareFrom is Compare with a host directory that already has the same
// contents as dir.
func CompareFrom(t *testing.T, c *vfs.Context, dir, hostDir string, seed uint64, n int) {
	t.Helper()
	defer unix.Umask(unix.Umask(0))
	host, err := newHostSide(hostDir)
	if err != nil {
		t.Fatal(err)
	}
	defer host.close()
	guest := newGuestSide(t, c, dir)
	defer guest.close()
	r := rand.New(rand.NewPCG(seed, 0))
	var log []string
	for i := range n {
		o := randomOp(r)
		g, h := guest.do(o), host.as(c.Cred, o)
		log = append(log, fmt.Sprintf("%v = %v %q", o, h.errno, clip(h.text)))
		if g != h {
			t.Fatalf("seed %d, step %d: %v\n got %v %q\nwant %v %q\nbefore:\n%s", seed, i, o, g.errno, clip(g.text), h.errno, clip(h.text), strings.Join(log[max(0, len(log)-12):], "\n"))
		}
		if i%16 == 15 || i == n-1 {
			gt, ht := guest.tree(), host.tree()
			if !slices.Equal(gt, ht) {
				t.Fatalf("seed %d, step %d: %v\ntree:\n%s\nwant:\n%s\nbefore:\n%s", seed, i, o, strings.Join(gt, "\n"), strings.Join(ht, "\n"), strings.Join(log[max(0, len(log)-17):], "\n"))
			}
		}
	}
}

func clip(s string) string { return s[:min(len(s), 200)] }

// describe is what a stat of a file must agree in.
func describe(mode uint32, nlink uint64, size int64) string {
	if mode&linux.S_IFMT == linux.S_IFDIR {
		size = 0 // a matter of taste
	}
	return fmt.Sprintf("%o %d %d", mode, nlink, size)
}

// hostSide performs operations on the host.
type hostSide struct {
	dir string
	fd  int
}

func newHostSide(dir string) (*hostSide, error) {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	return &hostSide{dir, fd}, err
}

func (h *hostSide) close() { unix.Close(h.fd) }

// as performs an operation with the caller's file system ids; leaving root's
// drops the capabilities for files too (capabilities(7)).
func (h *hostSide) as(cred *vfs.Cred, o *op) result {
	if cred.FSUID == 0 {
		return h.do(o)
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	unix.SetfsgidRetGid(int(cred.FSGID))
	unix.SetfsuidRetUid(int(cred.FSUID))
	defer unix.SetfsgidRetGid(0)
	defer unix.SetfsuidRetUid(0)
	return h.do(o)
}

func hostResult(text string, err error) result {
	if err == nil {
		return result{0, text}
	}
	return result{errno: linux.Errno(err.(unix.Errno))}
}

func (h *hostSide) do(o *op) result {
	switch o.kind {
	case "open":
		return h.open(o)
	case "append":
		o2 := *o
		o2.flags = unix.O_WRONLY | unix.O_APPEND | unix.O_NONBLOCK
		return h.open(&o2)
	case "mkdir":
		return hostResult("", unix.Mkdirat(h.fd, o.name, o.mode))
	case "rmdir":
		return hostResult("", unix.Unlinkat(h.fd, o.name, unix.AT_REMOVEDIR))
	case "unlink":
		return hostResult("", unix.Unlinkat(h.fd, o.name, 0))
	case "rename":
		return hostResult("", unix.Renameat2(h.fd, o.name, h.fd, o.to, uint(o.flags)))
	case "link":
		return hostResult("", unix.Linkat(h.fd, o.name, h.fd, o.to, o.flags))
	case "symlink":
		return hostResult("", unix.Symlinkat(o.to, h.fd, o.name))
	case "mkfifo":
		return hostResult("", unix.Mknodat(h.fd, o.name, unix.S_IFIFO|o.mode, 0))
	case "chmod":
		return hostResult("", unix.Fchmodat(h.fd, o.name, o.chmodMode(), 0))
	case "utimes":
		ts := []unix.Timespec{{Sec: o.size}, {Sec: o.off}}
		return hostResult("", unix.UtimesNanoAt(h.fd, o.name, ts, 0))
	case "access":
		return hostResult("", unix.Faccessat(h.fd, o.name, o.mode&7, unix.AT_EACCESS))
	case "truncate":
		return h.truncate(o)
	case "readlink":
		buf := make([]byte, 4096)
		n, err := unix.Readlinkat(h.fd, o.name, buf)
		return hostResult(string(buf[:max(n, 0)]), err)
	case "stat", "lstat":
		return h.stat(o)
	case "readdir":
		return h.readdir(o)
	}
	panic(o.kind)
}

// truncate has no form relative to a directory: it goes through /proc.
func (h *hostSide) truncate(o *op) result {
	if o.name == "" {
		return result{errno: linux.ENOENT}
	}
	return hostResult("", unix.Truncate(fmt.Sprintf("/proc/self/fd/%d/%s", h.fd, o.name), o.size))
}

func (h *hostSide) stat(o *op) result {
	var st unix.Stat_t
	flags := 0
	if o.kind == "lstat" {
		flags = unix.AT_SYMLINK_NOFOLLOW
	}
	if err := unix.Fstatat(h.fd, o.name, &st, flags); err != nil {
		return hostResult("", err)
	}
	return result{0, describe(st.Mode, uint64(st.Nlink), st.Size)}
}

func (h *hostSide) open(o *op) result {
	var st unix.Stat_t
	if unix.Fstatat(h.fd, o.name, &st, 0) == nil && st.Mode&unix.S_IFMT == unix.S_IFIFO {
		return result{} // pipes are another package's
	}
	fd, err := unix.Openat(h.fd, o.name, o.flags|unix.O_CLOEXEC, o.mode|0o600)
	if err != nil {
		return hostResult("", err)
	}
	defer unix.Close(fd)
	if o.flags&unix.O_PATH != 0 {
		return result{}
	}
	unix.Fstat(fd, &st)
	if st.Mode&unix.S_IFMT != unix.S_IFREG {
		return result{}
	}
	if o.flags&unix.O_APPEND != 0 {
		n, err := unix.Write(fd, []byte(o.data))
		return hostResult(fmt.Sprint(n), err)
	}
	if o.flags&unix.O_ACCMODE != unix.O_RDONLY {
		unix.Pwrite(fd, []byte(o.data), o.off)
	}
	if o.flags&unix.O_ACCMODE == unix.O_WRONLY {
		return result{}
	}
	buf := make([]byte, 30000)
	n, err := unix.Pread(fd, buf, o.off/2)
	return hostResult(string(buf[:max(n, 0)]), err)
}

func (h *hostSide) readdir(o *op) result {
	fd, err := unix.Openat(h.fd, o.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return hostResult("", err)
	}
	f := os.NewFile(uintptr(fd), o.name)
	defer f.Close()
	list, _ := f.Readdirnames(-1)
	slices.Sort(list)
	return result{0, strings.Join(list, " ")}
}

// tree lists everything below the directory.
func (h *hostSide) tree() (list []string) {
	filepath.WalkDir(h.dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st unix.Stat_t
		unix.Lstat(path, &st)
		rel, _ := filepath.Rel(h.dir, path)
		line := rel + " " + describe(st.Mode, uint64(st.Nlink), st.Size)
		switch st.Mode & unix.S_IFMT {
		case unix.S_IFREG:
			b, _ := os.ReadFile(path)
			line += " " + digest(b)
		case unix.S_IFLNK:
			s, _ := os.Readlink(path)
			line += " " + s
		}
		list = append(list, line)
		return nil
	})
	slices.Sort(list)
	return list
}

// digest tells the runs of equal bytes.
func digest(b []byte) string {
	var s strings.Builder
	for i := 0; i < len(b); {
		j := i
		for j < len(b) && b[j] == b[i] {
			j++
		}
		fmt.Fprintf(&s, "%dx%02x,", j-i, b[i])
		i = j
	}
	return s.String()
}
