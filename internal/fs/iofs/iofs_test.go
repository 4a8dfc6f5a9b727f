package iofs_test

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/tinevm/tine/internal/fs/iofs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

func TestFS(t *testing.T) {
	acct := mm.NewAccount(1 << 20)
	big := strings.Repeat("0123456789", 1000)
	src := fstest.MapFS{
		"dir/file":  {Data: []byte("hello")},
		"dir/big":   {Data: []byte(big)},
		"dir/tool":  {Data: []byte("#!"), Mode: 0o755},
		"link":      {Data: []byte("dir/file"), Mode: fs.ModeSymlink},
		"dir/d/sub": {Data: nil},
	}
	ns := vfs.NewNamespace(vfs.NewSystem(), iofs.New(src, acct), "iofs", linux.MS_RDONLY)
	c := &vfs.Context{Mounts: ns, Cred: &vfs.Cred{FSUID: 1000}}
	c.Root = ns.Root()
	c.Cwd = c.Root
	for name, want := range map[string]string{"dir/file": "hello", "link": "hello", "dir/big": big, "dir/d/sub": ""} {
		f, errno := vfs.Open(c, c.Cwd, name, linux.O_RDONLY, 0)
		if errno != 0 {
			t.Errorf("open %s: %v", name, errno)
			continue
		}
		buf := make([]byte, 20000)
		n, errno := f.Ops.Read(f, buf, 0)
		if string(buf[:n]) != want || errno != 0 {
			t.Errorf("%s: %d bytes, %v", name, n, errno)
		}
		f.Put()
	}
	if st, _ := vfs.Stat(c, c.Cwd, "dir/tool", 0); st.Mode != linux.S_IFREG|0o755 {
		t.Errorf("mode %o", st.Mode)
	}
	d, errno := vfs.Open(c, c.Cwd, "dir", linux.O_RDONLY|linux.O_DIRECTORY, 0)
	if errno != 0 {
		t.Fatal(errno)
	}
	var names []string
	d.Ops.ReadDir(d, c, 0, func(name string, _ uint64, _ uint8, _ int64) bool {
		names = append(names, name)
		return true
	})
	if got := strings.Join(names, " "); got != ". .. big d file tool" {
		t.Errorf("names %q", got)
	}
	d.Put()
	if errno := vfs.Mkdir(c, c.Cwd, "new", 0o755); errno != linux.EROFS {
		t.Errorf("mkdir: %v", errno)
	}
	c.Root.Put()
	ns.Close()
	if !acct.Close() {
		t.Errorf("%d bytes of memory left", acct.Used())
	}
}
