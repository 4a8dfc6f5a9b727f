package tine

import (
	"fmt"
	"io/fs"
	"syscall"

	"github.com/tinevm/tine/internal/linux"
)

// WaitStatus is the status word of a process that has ended, as wait(2)
// returns it.
type WaitStatus uint32

// Exited reports whether the process ended by exit.
func (w WaitStatus) Exited() bool { return w&0x7f == 0 }

// ExitStatus is the exit code, or -1 if the process was killed.
func (w WaitStatus) ExitStatus() int {
	if !w.Exited() {
		return -1
	}
	return int(w >> 8 & 0xff)
}

// Signaled reports whether a signal ended the process.
func (w WaitStatus) Signaled() bool { return w&0x7f != 0 && w&0x7f != 0x7f }

// Signal is the number of the signal that ended the process, or -1.
func (w WaitStatus) Signal() syscall.Signal {
	if !w.Signaled() {
		return -1
	}
	return syscall.Signal(w & 0x7f)
}

// CoreDump reports whether the core bit is set.
func (w WaitStatus) CoreDump() bool { return w.Signaled() && w&0x80 != 0 }

// Code is the exit code that a shell gives: the process's own, or 128 plus the
// number of the signal.
func (w WaitStatus) Code() int {
	if w.Signaled() {
		return 128 + int(w&0x7f)
	}
	return w.ExitStatus()
}

// String describes the status as os/exec does: "exit status 3", "signal:
// killed".
func (w WaitStatus) String() string {
	if !w.Signaled() {
		return fmt.Sprintf("exit status %d", w.ExitStatus())
	}
	s := "signal: " + linux.Signal(w&0x7f).Description()
	if w.CoreDump() {
		s += " (core dumped)"
	}
	return s
}

// ExitError reports that a program ran and did not succeed.
type ExitError struct {
	// Status is its wait status.
	Status WaitStatus
	// Stderr holds the end of the standard error output, if Output collected
	// it because Cmd.Stderr was nil.
	Stderr []byte
}

// Error implements error.
func (e *ExitError) Error() string { return e.Status.String() }

// ExitCode is the exit code, or -1 if the process was killed.
func (e *ExitError) ExitCode() int { return e.Status.ExitStatus() }

// StartError reports that a program could not be started.
type StartError struct {
	Path string // the program
	// Errno is the name of the error number that execve(2) gives, such as
	// "ENOENT".
	Errno string
	text  string
}

// Error implements error.
func (e *StartError) Error() string { return fmt.Sprintf("start %s: %s", e.Path, e.text) }

// Is makes errors.Is find fs.ErrNotExist and fs.ErrPermission.
func (e *StartError) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Errno == linux.ENOENT.String() || e.Errno == linux.ENOTDIR.String()
	case fs.ErrPermission:
		return e.Errno == linux.EACCES.String() || e.Errno == linux.EPERM.String()
	}
	return false
}
