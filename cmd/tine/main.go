// Command tine runs unmodified x86-64 Linux programs on a kernel and a
// processor of its own.
package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of tine itself, as docker has them.
const (
	exitUsage     = 125 // tine failed, or was called wrongly
	exitNoExec    = 126 // the program cannot be executed
	exitNotFound  = 127 // there is no such program
	exitTimeout   = 124 // --timeout has passed
	exitSignalled = 128 // plus the number of the signal
)

// exitCode is an error that only carries an exit code: everything has been
// said already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func main() {
	root := &cobra.Command{
		Use:           "tine",
		Short:         "Run Linux programs on a kernel and a processor of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newStraceCommand(), newVersionCommand())
	err := root.Execute()
	var code exitCode
	switch {
	case err == nil:
	case errors.As(err, &code):
		os.Exit(int(code))
	default:
		fmt.Fprintf(os.Stderr, "tine: %s\n", strings.TrimPrefix(err.Error(), "tine: "))
		os.Exit(exitUsage)
	}
}
