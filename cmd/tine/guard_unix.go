//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// guard is a small process that gives the host's terminal back if tine is
// killed or crashes while the terminal is raw. It has a session of its own, so
// that nothing that hits tine's process group hits it, and learns of tine's end
// by the end of its standard input.
type guard struct {
	cmd    *exec.Cmd
	orders *os.File
}

// The orders.
const (
	guardArm     = "a" // the terminal is raw now
	guardDismiss = "d" // the terminal is as it was
)

// startGuard starts the guard, and returns once it has looked at the terminal.
// It is an addition: without it all but the sudden end works.
func startGuard() *guard {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	orders, to, err := os.Pipe()
	if err != nil {
		return nil
	}
	defer orders.Close()
	cmd := &exec.Cmd{Path: self, Args: []string{os.Args[0], guardCommand}}
	cmd.Stdin, cmd.Stderr = orders, os.Stdin // its descriptor 2 is the terminal
	cmd.Env = []string{}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	ready, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		to.Close()
		return nil
	}
	ready.Read(make([]byte, 1))
	return &guard{cmd, to}
}

func (g *guard) arm() { g.order(guardArm) }

func (g *guard) order(what string) {
	if g != nil {
		g.orders.WriteString(what)
	}
}

// dismiss ends the guard.
func (g *guard) dismiss() {
	if g != nil {
		g.order(guardDismiss)
		g.orders.Close()
		g.cmd.Wait()
	}
}

// newGuardCommand is what the guard runs.
func newGuardCommand() *cobra.Command {
	return &cobra.Command{
		Use: guardCommand, Hidden: true, Args: cobra.NoArgs,
		Run: func(*cobra.Command, []string) { guardTerminal(int(os.Stderr.Fd())) },
	}
}

func guardTerminal(fd int) {
	signal.Ignore(syscall.SIGHUP, syscall.SIGINT, syscall.SIGTERM, syscall.SIGTTOU)
	before, err := term.GetState(fd)
	if err != nil {
		return
	}
	fmt.Print("\n") // ready
	var raw *term.State
	for b := make([]byte, 1); ; {
		n, err := os.Stdin.Read(b)
		switch {
		case n == 1 && string(b) == guardArm:
			raw, _ = term.GetState(fd)
		case n == 1:
			return
		case err != nil:
			// A shell that has set its own modes meanwhile is left alone.
			if now, err := term.GetState(fd); err == nil && raw != nil && *now == *raw {
				term.Restore(fd, before)
			}
			return
		}
	}
}
