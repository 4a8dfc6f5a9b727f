//go:build linux

package memfs_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/tinevm/tine/internal/fs/fstest"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func TestAgainstHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("compares what root may do")
	}
	for seed := range uint64(40) {
		c, _ := tree(t, memfs.Options{Mode: 0o755})
		must(t, vfs.Mkdir(c, c.Cwd, "dir", 0o755))
		fstest.Compare(t, c, "dir", seed, 400)
	}
}

// TestAgainstHostAsUser is the same without privileges.
func TestAgainstHostAsUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can become somebody else")
	}
	const nobody = 65534
	groups, _ := os.Getgroups()
	for seed := range uint64(40) {
		c, _ := tree(t, memfs.Options{Mode: 0o755})
		must(t, vfs.Mkdir(c, c.Cwd, "dir", 0o755))
		host := fstest.HostDir(t)
		populate(t, c, host)
		c.Cred = &vfs.Cred{FSUID: nobody, FSGID: nobody}
		for _, g := range groups {
			c.Cred.Groups = append(c.Cred.Groups, uint32(g))
		}
		fstest.CompareFrom(t, c, "dir", host, seed, 400)
		c.Cred = &vfs.Cred{Caps: ^uint64(0)}
	}
}

// populate makes files of root on both sides, some of them open to all.
func populate(t *testing.T, c *vfs.Context, host string) {
	t.Helper()
	dir, errno := vfs.Lookup(c, c.Cwd, "dir", 0)
	must(t, errno)
	defer dir.Put()
	must(t, vfs.Chmod(c, dir, 0o1777))
	os.Chmod(host, 0o777|os.ModeSticky)
	for _, d := range []struct {
		name string
		mode uint32
	}{{"a", 0o755}, {"b", 0o777}, {"a/b", 0o1777}} {
		must(t, vfs.Mkdir(c, dir, d.name, 0o755))
		p, _ := vfs.Lookup(c, dir, d.name, 0)
		must(t, vfs.Chmod(c, p, d.mode))
		p.Put()
		unix.Mkdir(host+"/"+d.name, 0o755)
		unix.Chmod(host+"/"+d.name, d.mode)
	}
	for _, f := range []struct {
		name string
		mode uint32
	}{{"c", 0o666}, {"a/c", 0o600}, {"b/a", 0o644}, {"b/c", 0o4755}} {
		g, errno := vfs.Open(c, dir, f.name, linux.O_CREAT|linux.O_WRONLY, 0o600)
		must(t, errno)
		g.Ops.Write(g, []byte(f.name), 0)
		must(t, vfs.Chmod(c, g.Path, f.mode))
		g.Put()
		os.WriteFile(host+"/"+f.name, []byte(f.name), 0o600)
		unix.Chmod(host+"/"+f.name, f.mode)
	}
}
