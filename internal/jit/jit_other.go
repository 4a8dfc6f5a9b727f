//go:build !linux || !amd64

package jit

import (
	"fmt"
	"runtime"

	"github.com/tinevm/tine/internal/cpu"
)

// Available says that there is no JIT for this host.
func Available() error {
	return fmt.Errorf("jit: there is none for %s/%s hosts", runtime.GOOS, runtime.GOARCH)
}

// MissingV3 must not be called.
func MissingV3() bool { panic(Available()) }

// New must not be called.
func New() cpu.Engine { panic(Available()) }

// OpenArchive says that there is no JIT for this host.
func OpenArchive(string) error { return Available() }

// SaveArchive does nothing: OpenArchive has failed.
func SaveArchive() error { return nil }

// NewEager must not be called.
func NewEager() cpu.Engine { panic(Available()) }
