//go:build unix

package main

import (
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

// forwarded are the signals that tine passes on to the program.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGCONT,
}

// forwardSignals passes signals on until the returned function is called. From then
// on they do to tine what they usually do.
func forwardSignals(cmd signaller, con *connection) (stop func()) {
	f := forwarder{cmd: cmd, con: con}
	c := make(chan os.Signal, 16)
	var stopped atomic.Bool
	signal.Notify(c, forwarded...)
	go func() {
		for s := range c {
			if s := s.(syscall.Signal); stopped.Load() {
				signal.Reset(s)
				syscall.Kill(os.Getpid(), s)
			} else {
				f.forward(s)
			}
		}
	}()
	// tine is about to end: signal.Stop would take longer than the rest of that.
	return func() { stopped.Store(true) }
}

// stopGrace is how long a machine of tine boot may take to shut down when it is
// told to, as with docker stop.
const stopGrace = 10 * time.Second

type forwarder struct {
	cmd   signaller
	con   *connection
	terms int // how often SIGTERM came
}

// forward passes a signal on. Those of the keyboard go to the program's whole
// process group, as the host's terminal would do it. With a terminal they come
// only from other programs, and SIGTERM is the end of the terminal as well, for
// shells do not heed it: once more, and the program is killed. An init keeps
// its console, and has time to shut down.
func (f *forwarder) forward(s syscall.Signal) {
	terminal := f.con.terminal
	switch {
	case s == syscall.SIGINT || s == syscall.SIGQUIT:
		f.cmd.SignalGroup(s)
	case s == syscall.SIGHUP && terminal != nil:
		terminal.Hangup()
	case s == syscall.SIGTERM && terminal != nil:
		if f.terms++; f.terms > 1 {
			f.cmd.Signal(syscall.SIGKILL)
			return
		}
		f.cmd.Signal(s)
		if f.con.boots { // an init stops its processes itself
			time.AfterFunc(stopGrace, func() { f.cmd.Signal(syscall.SIGKILL) })
			return
		}
		terminal.Hangup()
	default:
		if s == syscall.SIGCONT && f.con.raw != nil {
			f.con.raw.again() // the shell has used the terminal
		}
		f.cmd.Signal(guestSignal(s))
	}
}

// ignoreBrokenPipes makes a write to a pipe that nobody reads an error, which
// is the guest's, instead of a signal that ends tine.
func ignoreBrokenPipes() { signal.Ignore(syscall.SIGPIPE) }

// guestSignal gives Linux's number of a host signal.
func guestSignal(s syscall.Signal) syscall.Signal {
	switch s {
	case syscall.SIGUSR1:
		return 10
	case syscall.SIGUSR2:
		return 12
	case syscall.SIGCONT:
		return 18
	}
	return s
}
