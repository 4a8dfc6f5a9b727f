//go:build unix

package main

import (
	"os"
	"os/signal"
	"syscall"
)

// followSize tells the terminal of each change of the window's size until stop
// is called.
func followSize(t screen) (stop func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGWINCH)
	go func() {
		for range c {
			t.Resize(windowSize())
		}
	}()
	t.Resize(windowSize()) // it may have changed since it was first asked for
	return func() {
		signal.Stop(c)
		close(c)
	}
}

// prepareOutput makes the screen understand what programs write: here it does.
func prepareOutput() (undo func()) { return func() {} }
