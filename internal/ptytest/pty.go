//go:build linux

package ptytest

import (
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal with a program in it and a screen.
type Terminal struct {
	t      testing.TB
	master *os.File
	slave  *os.File
	cmd    *exec.Cmd

	mu     sync.Mutex
	screen *Screen
	last   time.Time // that anything happened
	change chan struct{}
	ended  chan struct{} // the program has ended
}

// Start runs cmd as the leader of a session with the terminal, which is its
// standard streams as far as they are nil. What is left of it is killed at the
// end of the test.
func Start(t testing.TB, cmd *exec.Cmd, rows, cols int) *Terminal {
	t.Helper()
	master, slave := open(t)
	p := &Terminal{
		t: t, master: master, slave: slave, cmd: cmd,
		screen: NewScreen(rows, cols), change: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	p.Resize(rows, cols)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if cmd.Stdin == nil {
		cmd.Stdin = slave
	} else {
		cmd.ExtraFiles = []*os.File{slave}
		cmd.SysProcAttr.Ctty = 3
	}
	if cmd.Stdout == nil {
		cmd.Stdout = slave
	}
	if cmd.Stderr == nil {
		cmd.Stderr = slave
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go p.watch()
	go func() {
		cmd.Wait()
		close(p.ended)
	}()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-p.ended
		master.Close()
		slave.Close()
	})
	return p
}

func open(t testing.TB) (master, slave *os.File) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals on this host: %v", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

// watch shows the output on the screen.
func (p *Terminal) watch() {
	buf := make([]byte, 4096)
	for {
		n, err := p.master.Read(buf)
		p.mu.Lock()
		p.screen.Write(buf[:n])
		p.last = time.Now()
		p.mu.Unlock()
		select {
		case p.change <- struct{}{}:
		default:
		}
		if err != nil {
			return
		}
	}
}

// Type presses keys.
func (p *Terminal) Type(keys string) {
	p.t.Helper()
	p.mu.Lock()
	p.last = time.Now()
	p.mu.Unlock()
	if _, err := p.master.WriteString(keys); err != nil {
		p.t.Error(err)
	}
}

// Resize changes the window's size.
func (p *Terminal) Resize(rows, cols int) {
	p.mu.Lock()
	p.screen.Resize(rows, cols)
	p.last = time.Now()
	p.mu.Unlock()
	w := unix.Winsize{Row: uint16(rows), Col: uint16(cols)}
	if err := unix.IoctlSetWinsize(int(p.slave.Fd()), unix.TIOCSWINSZ, &w); err != nil {
		p.t.Error(err)
	}
}

// Screen is what can be seen now.
func (p *Terminal) Screen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.screen.String()
}

// WaitFor waits until the screen is as it should be, and reports false if it
// is not within limit.
func (p *Terminal) WaitFor(limit time.Duration, should func(screen string) bool) bool {
	deadline := time.After(limit)
	look := time.NewTicker(20 * time.Millisecond) // for what is not on the screen
	defer look.Stop()
	for {
		if should(p.Screen()) {
			return true
		}
		select {
		case <-p.change:
		case <-look.C:
		case <-deadline:
			return should(p.Screen())
		}
	}
}

// Settle waits until nothing has changed for a while.
func (p *Terminal) Settle(quiet time.Duration) {
	for {
		p.mu.Lock()
		left := quiet - time.Since(p.last)
		p.mu.Unlock()
		if left <= 0 {
			return
		}
		time.Sleep(left)
	}
}

// Attributes are the terminal's (tcgetattr).
func (p *Terminal) Attributes() unix.Termios {
	p.t.Helper()
	a, err := unix.IoctlGetTermios(int(p.slave.Fd()), unix.TCGETS)
	if err != nil {
		p.t.Fatal(err)
	}
	return *a
}

// Process is the program that was started.
func (p *Terminal) Process() *os.Process { return p.cmd.Process }

// Hangup takes the terminal away.
func (p *Terminal) Hangup() {
	p.slave.Close()
	p.master.Close()
}

// Wait waits for the end of the program, and returns its exit code, or 128
// plus the signal's number.
func (p *Terminal) Wait(limit time.Duration) int {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(limit):
		p.t.Fatalf("the program did not end within %v; the screen:\n%s", limit, p.Screen())
	}
	ws := p.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if ws.Signaled() {
		return 128 + int(ws.Signal())
	}
	return ws.ExitStatus()
}
