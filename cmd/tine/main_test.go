//go:build linux && amd64

package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/interp"
	"github.com/tinevm/tine/internal/lockstep"
	"github.com/tinevm/tine/internal/mm"
)

func TestMain(m *testing.M) {
	if _, ok := os.LookupEnv("TINE_CACHE"); !ok { // scripts and the commands in them have it
		os.Setenv("TINE_CACHE", "off")
	}
	testscript.Main(m, map[string]func(){
		"tine": main,
		// tine whose compiler is wrong about CPUID.
		"tine-wrong": func() {
			lockstep.NewSubject = func() lockstep.Engine { return wrongCPUID{interp.New().(lockstep.Engine)} }
			main()
		},
	})
}

// wrongCPUID is an interpreter whose CPUID gives a wrong EDX.
type wrongCPUID struct{ lockstep.Engine }

func (w wrongCPUID) Run(v *cpu.VCPU, r *cpu.Regs, as *mm.AddressSpace, budget int64) (t cpu.Trap, n int64) {
	for n < budget {
		f, ok := as.Lookup(r.RIP, mm.AccessExec)
		is := ok && strings.HasPrefix(string(f.Bytes()[r.RIP%mm.PageSize:]), "\x0f\xa2")
		t, k := w.Engine.Run(v, r, as, 1)
		if n += k; is {
			r.GPR[cpu.RDX] ^= 1 << 5
		}
		if t.Kind != cpu.TrapBudget {
			return t, n
		}
	}
	return cpu.Trap{Kind: cpu.TrapBudget}, n
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
			env.Setenv("TINE_CACHE", "off")
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
