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

// commands are what there is, by name.
var commands = []struct {
	name string
	make func() *cobra.Command
}{
	{"run", newRunCommand}, {"exec", newExecCommand}, {"ls", newListCommand}, {"ps", newPsCommand}, {"tree", newTreeCommand},
	{"stats", newStatsCommand}, {"kill", newKillCommand}, {"version", newVersionCommand}, {"strace", newStraceCommand},
	{"search", newSearchCommand}, {"boot", newBootCommand}, {guardCommand, newGuardCommand},
}

// guardCommand is for tine itself.
const guardCommand = "guard-terminal"

// addCommands adds the command that args begin with: who names it needs no other,
// and making the flags of all is a good part of a short run. Otherwise it adds them
// all.
func addCommands(root *cobra.Command, args []string) {
	list := commands
	for i, c := range commands {
		if len(args) > 0 && args[0] == c.name {
			list = commands[i : i+1]
			root.CompletionOptions.DisableDefaultCmd = true
		}
	}
	for _, c := range list {
		if cmd := c.make(); cmd != nil {
			root.AddCommand(cmd)
		}
	}
}

func main() {
	growStack()
	collectSeldom()
	ignoreBrokenPipes()
	root := &cobra.Command{
		Use:           "tine",
		Short:         "Run Linux programs on a kernel and a processor of its own",
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	addCommands(root, os.Args[1:])
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
