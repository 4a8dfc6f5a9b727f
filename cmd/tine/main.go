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
	exitUsage   = 125 // tine run or exec failed, or any command was called wrongly
	exitTimeout = 124 // --timeout has passed
	exitFailure = 1   // another command failed
)

// exitCode is an error that only carries an exit code: everything has been
// said already.
type exitCode int

func (e exitCode) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

// failure is the error of a command that runs no program.
type failure struct{ error }

func main() {
	collectSeldom()
	ignoreBrokenPipes()
	root := &cobra.Command{
		Use:           "tine",
		Short:         "Run Linux programs on a kernel and a processor of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(newRunCommand(), newExecCommand(), newListCommand(), newPsCommand(), newTreeCommand(),
		newStatsCommand(), newKillCommand(), newVersionCommand(), newStraceCommand(), newSearchCommand(), newBootCommand())
	if g := newGuardCommand(); g != nil {
		root.AddCommand(g)
	}
	err := root.Execute()
	var code exitCode
	if err == nil {
		return
	}
	if errors.As(err, &code) {
		os.Exit(int(code))
	}
	for _, line := range strings.Split(err.Error(), "\n") {
		fmt.Fprintf(os.Stderr, "tine: %s\n", strings.TrimPrefix(line, "tine: "))
	}
	if errors.As(err, new(failure)) {
		os.Exit(exitFailure)
	}
	os.Exit(exitUsage)
}
