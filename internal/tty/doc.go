// Package tty has terminals: the line discipline N_TTY, pseudo-terminals, and
// the devices /dev/tty, /dev/console, /dev/ptmx and those of devpts (termios(3),
// pty(7), ioctl_tty(2)).
//
// A TTY is the slave side of a pseudo-terminal: it has the line discipline, the
// controlling session and the foreground group. What its programs see is made
// from what arrives from the master (input.go, echo.go, read.go); what they
// write goes through output processing to the master (output.go). The master
// is either a file that a guest got from /dev/ptmx (master.go) or a terminal of
// the host (host.go).
//
// Everything runs under the kernel lock. Nothing here blocks: see vfs.FileOps.
package tty
