//go:build linux && amd64

package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"tine": main})
}

// TestScripts runs testdata/script, where each file is about one thing that
// the command line does. Besides testscript's own commands there are
//
//	code N PROG ARG...      run a program, which must exit with N
//	await PATTERN PROG ARG...  run a program until its output matches
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			run := env.WorkDir + "/.run"
			env.Setenv("XDG_RUNTIME_DIR", run)
			return os.Mkdir(run, 0o700)
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){"code": code, "await": await},
	})
}

func code(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: code N PROG ARG...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var ee *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &ee) {
		got = ee.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

func await(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 || neg {
		ts.Fatalf("usage: await PATTERN PROG ARG...")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	for range 1000 {
		ts.Exec(args[1], args[2:]...)
		if re.MatchString(ts.ReadFile("stdout")) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("%q does not appear", args[0])
}

// TestCommandsByName: who names a command gets it, and nothing else is made.
func TestCommandsByName(t *testing.T) {
	for _, c := range commands {
		root := &cobra.Command{Use: "tine"}
		addCommands(root, []string{c.name, "--help"})
		list := root.Commands()
		if len(list) != 1 || list[0].Name() != c.name {
			t.Errorf("%s: %v", c.name, list)
		}
	}
	for _, args := range [][]string{nil, {"help"}, {"runn"}} {
		root := &cobra.Command{Use: "tine"}
		if addCommands(root, args); len(root.Commands()) < len(commands)-1 {
			t.Errorf("%q: %d commands", args, len(root.Commands()))
		}
	}
}
