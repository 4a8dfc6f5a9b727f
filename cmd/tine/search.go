package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/control"
)

// searchFlags are the flags of tine search that tine run does not have.
type searchFlags struct {
	runFlags
	seeds   string
	failing bool // stop at the first failure
}

// maxKept is how much output of a run is compared and shown.
const maxKept = 64 << 10

func newSearchCommand() *cobra.Command {
	f := searchFlags{runFlags: runFlags{init: true, jsonAlone: true}}
	cmd := &cobra.Command{
		Use:   "search [flags] [--] PROG [ARG...]",
		Short: "Run a program in many orders and list what can come out",
		Long: `Run a program once for each seed, each time in a new machine whose order of
events is decided by the seed, and list the different outcomes: exit code and
output, how often they came, and a seed that brings each back:

  tine run --seed N -- PROG

A race that natively shows once in a thousand runs is found here in seconds, and
then replayed as often as one likes. The exit code is 1 if a run failed.`,
		Example: `  tine search -- ./racy
  tine search --seeds 1-10000 --fail -- sh -c 'echo a & echo b & wait'`,
		Args: programArgs,
		RunE: func(_ *cobra.Command, args []string) error { return f.search(args) },
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	fl.StringVar(&f.seeds, "seeds", "1-100", "the seeds to try, `FROM-TO`")
	fl.BoolVar(&f.failing, "fail", false, "stop at the first run that fails")
	f.addEnvFlags(cmd, "e")
	f.addMachineFlags(cmd, true)
	for _, name := range []string{"seed", "stats", "events", "timeline", "family", "tty", "interactive", "name", "cpus", "parent-first", "rm", "translations"} {
		fl.MarkHidden(name) // they are about one run
	}
	return cmd
}

// outcome is what several runs have in common.
type outcome struct {
	Code   int    `json:"code"`
	Output string `json:"output"`
	Count  int    `json:"count"`
	Seed   uint64 `json:"seed"` // the first that gave it
}

// search runs the program with all seeds, several at a time.
func (f *searchFlags) search(args []string) error {
	from, to, err := parseSeeds(f.seeds)
	if err != nil {
		return err
	}
	cfg, err := f.config()
	if err != nil {
		return err
	}
	env, err := f.environment(cfg.User)
	if err != nil {
		return err
	}
	var (
		mu       sync.Mutex
		next     = from
		failed   error
		stop     bool
		done     uint64
		outcomes []*outcome
		wg       sync.WaitGroup
	)
	progress := term.IsTerminal(int(os.Stderr.Fd()))
	take := func() (seed uint64, ok bool) {
		mu.Lock()
		defer mu.Unlock()
		if stop || failed != nil || next > to || next < from {
			return 0, false
		}
		next++
		return next - 1, true
	}
	for range runtime.NumCPU() {
		wg.Go(func() {
			for seed, ok := take(); ok; seed, ok = take() {
				code, out, err := f.once(cfg, seed, env, args)
				mu.Lock()
				if err != nil {
					failed = err
				} else {
					outcomes = addOutcome(outcomes, seed, code, out)
					stop = stop || f.failing && code != 0
				}
				if done++; progress {
					fmt.Fprintf(os.Stderr, "\r%d of %d, %d outcomes ", done, to-from+1, len(outcomes))
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if progress {
		fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	if failed != nil {
		return failed
	}
	if f.asJSON {
		err = printJSON(os.Stdout, outcomes)
	} else {
		err = printOutcomes(os.Stdout, outcomes)
	}
	for _, o := range outcomes {
		if o.Code != 0 && err == nil {
			return exitCode(1)
		}
	}
	return err
}

// once runs the program with one seed.
func (f *searchFlags) once(cfg tine.Config, seed uint64, env, args []string) (code int, out string, err error) {
	cfg.Seed = &seed
	m, err := tine.New(cfg)
	if err != nil {
		return 0, "", err
	}
	defer m.Close()
	ctx := context.Background()
	if f.timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.timeout)
		defer cancel()
	}
	cmd := m.Command(ctx, args[0], args[1:]...)
	cmd.Env = env
	var b limited
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Start(); err != nil {
		if text, _, ok := control.StartFailure(cmd.Path, err); ok {
			return 0, "", errors.New(text)
		}
		return 0, "", err
	}
	err = cmd.Wait()
	var ee *tine.ExitError
	switch {
	case ctx.Err() != nil:
		return exitTimeout, b.String(), nil
	case errors.As(err, &ee):
		return ee.Status.Code(), b.String(), nil
	}
	return 0, b.String(), err
}

// limited keeps the beginning of what is written.
type limited struct{ bytes.Buffer }

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	l.Buffer.Write(p[:min(len(p), maxKept-l.Len())])
	return len(p), nil
}

// addOutcome counts a run; outcomes are in the order of their first seeds.
func addOutcome(list []*outcome, seed uint64, code int, out string) []*outcome {
	for _, o := range list {
		if o.Code == code && o.Output == out {
			o.Count++
			o.Seed = min(o.Seed, seed)
			return list
		}
	}
	return append(list, &outcome{Code: code, Output: out, Count: 1, Seed: seed})
}

func printOutcomes(w io.Writer, list []*outcome) error {
	for _, o := range list {
		if _, err := fmt.Fprintf(w, "%d times, such as --seed %d: exit code %d\n", o.Count, o.Seed, o.Code); err != nil {
			return err
		}
		for line := range strings.Lines(o.Output) {
			fmt.Fprintf(w, "    %s\n", strings.TrimSuffix(line, "\n"))
		}
	}
	return nil
}

func parseSeeds(s string) (from, to uint64, err error) {
	a, b, ok := strings.Cut(s, "-")
	if !ok {
		b = a
	}
	if from, err = strconv.ParseUint(a, 10, 63); err == nil {
		to, err = strconv.ParseUint(b, 10, 63)
	}
	if err != nil || from > to {
		return 0, 0, fmt.Errorf("--seeds %s: want FROM-TO, such as 1-1000", s)
	}
	return from, to, nil
}
