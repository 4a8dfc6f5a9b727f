package net

import (
	"net/netip"
	"testing"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

func mustAddr(ip string, port uint16) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(ip), port)
}

// testContext is root without a file tree.
func testContext(t *testing.T) *vfs.Context {
	t.Helper()
	return &vfs.Context{Cred: &vfs.Cred{Caps: 1<<(linux.CAP_LAST_CAP+1) - 1}}
}
