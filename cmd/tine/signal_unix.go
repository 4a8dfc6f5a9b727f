//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// forwarded are the signals that tine passes on to the program.
var forwarded = []os.Signal{
	syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
	syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT,
}

// forwardSignals passes signals on until the returned function is called.
// Those that the keyboard sends go to the program's whole process group, as
// the host's terminal would do it; with a terminal of its own (raw), the keys
// reach the guest as bytes.
func forwardSignals(cmd signaller, raw bool) (stop func()) {
	c := make(chan os.Signal, 16)
	done := make(chan struct{})
	signal.Notify(c, forwarded...)
	go func() {
		for {
			select {
			case s := <-c:
				sig := guestSignal(s.(syscall.Signal))
				if (sig == 2 || sig == 3) && !raw {
					cmd.SignalGroup(sig)
				} else if sig != 0 {
					cmd.Signal(sig)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		signal.Stop(c)
		close(done)
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
	case syscall.SIGWINCH:
		return 0 // the terminal port sees to it
	}
	return s
}
