package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/control"
	"github.com/tinevm/tine/internal/linux"
)

// The commands that look at running machines: ls, stats and kill here, ps and
// tree in ps.go.

// completeName offers the names of running machines as a command's first
// argument.
func completeName(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, err := control.Names()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// machineArg finds the machine that the first argument names, or the only one.
func machineArg(args []string) (string, error) {
	name := ""
	if len(args) > 0 {
		name = args[0]
	}
	name, err := control.Find(name)
	if err != nil {
		return "", failure{err}
	}
	return name, nil
}

// view makes a command that asks one machine something and prints the answer.
func view(use, short, long string, show func(out io.Writer, name string, asJSON bool) error) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: use + " [flags] [NAME]", Short: short,
		Long: long + "\n\nNAME is a running machine; with only one it may be left out.",
		Args: cobra.MaximumNArgs(1), ValidArgsFunction: completeName,
		RunE: func(cmd *cobra.Command, args []string) error {
			name, err := machineArg(args)
			if err != nil {
				return err
			}
			if err := show(cmd.OutOrStdout(), name, asJSON); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func newListCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "ls", Short: "List the running machines",
		Long: `List the machines of your "tine run" commands that are running.

The columns are the name; the process id of tine on the host; how long it has
run; processes and threads in it; bytes of its memory in use; the main program.`,
		Args: cobra.NoArgs, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := list(cmd.OutOrStdout(), cmd.ErrOrStderr(), asJSON); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

// list prints all machines. One that does not answer is named and does not
// hide the others.
func list(out, errOut io.Writer, asJSON bool) error {
	names, err := control.Names()
	if err != nil {
		return err
	}
	infos := []*control.Info{}
	for _, name := range names {
		info, err := control.Describe(name)
		if err != nil {
			fmt.Fprintf(errOut, "tine: %v\n", err)
			continue
		}
		infos = append(infos, info)
	}
	if asJSON {
		return printJSON(out, infos)
	}
	t := table{{"NAME", "<HOSTPID", "<UP", "<TASKS", "<MEMORY", "COMMAND"}}
	for _, i := range infos {
		up := time.Since(i.Started).Truncate(time.Second)
		t = append(t, []string{i.Name, strconv.Itoa(i.HostPID), up.String(), strconv.Itoa(i.Stats.Tasks), size(i.Stats.Memory), commandLine(i.Command)})
	}
	return t.print(out)
}

func newStatsCommand() *cobra.Command {
	return view("stats", "Print counters of a machine", "Print the counters of a machine: instructions, memory, tasks, switches.",
		func(out io.Writer, name string, asJSON bool) error {
			info, err := control.Describe(name)
			if err != nil {
				return err
			}
			return printStats(out, info.Stats, asJSON)
		})
}

// printStats prints counters, for stats and for run --stats.
func printStats(out io.Writer, s tine.Stats, asJSON bool) error {
	if asJSON {
		return printJSON(out, s)
	}
	_, err := fmt.Fprintf(out, "instructions: %d\nmemory: %d\npeak memory: %d\ntasks created: %d\ntasks: %d\nswitches: %d\nuptime: %v\n",
		s.Instructions, s.Memory, s.PeakMemory, s.Forks, s.Tasks, s.Switches, time.Duration(s.Uptime))
	if err == nil && s.TraceHash != 0 {
		_, err = fmt.Fprintf(out, "trace hash: %016x\n", s.TraceHash)
	}
	return err
}

func newKillCommand() *cobra.Command {
	sigName := "TERM"
	cmd := &cobra.Command{
		Use: "kill [-s SIGNAL] [NAME] PID...", Short: "Send a signal to processes of a machine",
		Long: `Send a signal to processes of a machine, whose numbers "tine ps" shows.

SIGNAL is a name with or without SIG, or Linux's number; 0 only asks whether the
processes exist. NAME is a running machine; with only one it may be left out.`,
		Example: "  tine kill brave_willow 12\n  tine kill -s KILL brave_willow 12 13",
		Args:    cobra.MinimumNArgs(1), ValidArgsFunction: completeName,
		RunE: func(_ *cobra.Command, args []string) error {
			sig, err := parseSignal(sigName)
			if err != nil {
				return err
			}
			rest := args
			if _, err := strconv.Atoi(args[0]); err != nil {
				rest = args[1:]
			}
			pids, err := parsePIDs(rest)
			if err != nil {
				return err
			}
			name, err := machineArg(args[:len(args)-len(rest)])
			if err != nil {
				return err
			}
			if err := control.Signal(name, sig, pids); err != nil {
				return failure{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVarP(&sigName, "signal", "s", sigName, "the `SIGNAL`")
	return cmd
}

func parsePIDs(args []string) (pids []int, err error) {
	if len(args) == 0 {
		return nil, fmt.Errorf("which process? \"tine ps\" shows their numbers")
	}
	for _, a := range args {
		pid, err := strconv.Atoi(a)
		if err != nil || pid <= 0 {
			return nil, fmt.Errorf("%q is not a process id", a)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}

// parseSignal reads a signal's name or number.
func parseSignal(s string) (int, error) {
	if n, err := strconv.Atoi(s); err == nil && n >= 0 && n <= linux.NSIG {
		return n, nil
	}
	name := "SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")
	for sig := linux.Signal(1); sig <= linux.NSIG; sig++ {
		if sig.String() == name {
			return int(sig), nil
		}
	}
	return 0, fmt.Errorf("%q is not a signal; \"kill -l\" lists them", s)
}
