//go:build linux

package memfs_test

import (
	"os"
	"testing"

	"github.com/tinevm/tine/internal/fs/fstest"
	"github.com/tinevm/tine/internal/fs/memfs"
	"github.com/tinevm/tine/internal/vfs"
)

func TestAgainstHost(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("compares what root may do")
	}
	for seed := range uint64(60) {
		c, _ := tree(t, memfs.Options{})
		must(t, vfs.Mkdir(c, c.Cwd, "dir", 0o755))
		fstest.Compare(t, c, "dir", seed, 400)
	}
}
