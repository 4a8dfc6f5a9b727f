//go:build linux

package overlay_test

import (
	"testing"

	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/fs/overlay"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func BenchmarkWalk(b *testing.B) {
	for _, bb := range []struct {
		name   string
		stable bool
		path   string
		errno  linux.Errno
	}{
		{"stable", true, "/usr/share/doc/bash", 0},
		{"live", false, "/usr/share/doc/bash", 0},
		{"missing", true, "/usr/share/doc/no-such-name", linux.ENOENT},
		{"missing live", false, "/usr/share/doc/no-such-name", linux.ENOENT},
	} {
		b.Run(bb.name, func(b *testing.B) {
			fs := overlay.New(memfs.Options{})
			if err := fs.AddHost("/usr", "/usr", hostfs.Options{Stable: bb.stable}); err != nil {
				b.Fatal(err)
			}
			ns := vfs.NewNamespace(vfs.NewSystem(), fs, "overlay", 0)
			defer ns.Close()
			c := &vfs.Context{Mounts: ns, Cred: &vfs.Cred{}}
			c.Root = ns.Root()
			defer c.Root.Put()
			c.Cwd = c.Root
			for b.Loop() {
				if _, errno := vfs.Stat(c, c.Cwd, bb.path, 0); errno != bb.errno {
					b.Fatal(errno)
				}
			}
		})
	}
}
