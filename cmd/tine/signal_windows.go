package main

import (
	"os"
	"os/signal"
	"syscall"
)

// forwardSignals passes Ctrl-C on as SIGINT until the returned function is
// called.
func forwardSignals(cmd signaller, _ *connection) (stop func()) {
	c := make(chan os.Signal, 4)
	done := make(chan struct{})
	signal.Notify(c, os.Interrupt)
	go func() {
		for {
			select {
			case <-c:
				cmd.SignalGroup(syscall.SIGINT)
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

// ignoreBrokenPipes has nothing to do: there is no SIGPIPE.
func ignoreBrokenPipes() {}
