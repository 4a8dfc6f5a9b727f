package main

import (
	"os"
	"time"

	"golang.org/x/sys/windows"

	"github.com/spf13/cobra"
)

// followSize tells the terminal of each change of the window's size until stop
// is called. Windows does not tell: it has to be asked.
func followSize(t screen) (stop func()) {
	rows, cols := windowSize()
	t.Resize(rows, cols)
	tick := time.NewTicker(250 * time.Millisecond)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				if r, c := windowSize(); r != rows || c != cols {
					rows, cols = r, c
					t.Resize(rows, cols)
				}
			case <-done:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(done)
	}
}

// prepareOutput makes the console understand the control sequences that
// programs write.
func prepareOutput() (undo func()) {
	h := windows.Handle(os.Stdout.Fd())
	var mode uint32
	if windows.GetConsoleMode(h, &mode) != nil {
		return func() {}
	}
	windows.SetConsoleMode(h, mode|windows.ENABLE_PROCESSED_OUTPUT|windows.ENABLE_VIRTUAL_TERMINAL_PROCESSING|windows.DISABLE_NEWLINE_AUTO_RETURN)
	return func() { windows.SetConsoleMode(h, mode) }
}

// guard restores the terminal if tine is killed; here the console's owner does.
type guard struct{}

func startGuard() *guard              { return nil }
func (*guard) arm()                   {}
func (*guard) dismiss()               {}
func newGuardCommand() *cobra.Command { return nil }
