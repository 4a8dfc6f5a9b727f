// Command bench measures tine beside native Linux and qemu-user, in one run:
// process operations, system calls, computing, and whole programs.
//
//	go run ./bench [-quick] [-run REGEX] [-json FILE] [-tine PATH] [flags for tine run]
//
// The micro programs in bench/micro measure themselves, so that the start of a
// process is not counted; programs are timed from outside, start included.
// Each value is the median of at least three. Flags that bench does not know
// go to tine run, as -cpus=1 or --engine=interp.
package main

import (
	"embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"time"
)

//go:embed micro
var microSources embed.FS

// options are the command line.
type options struct {
	quick     bool
	run       *regexp.Regexp
	json      string
	tine      string
	rounds    int
	limit     time.Duration
	tineFlags []string
}

func main() {
	o, err := parse(os.Args[1:])
	if err == nil {
		err = bench(o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// parse takes out the flags of its own; the others belong to tine run.
func parse(args []string) (*options, error) {
	o := &options{}
	fs := flag.NewFlagSet("bench", flag.ExitOnError)
	fs.BoolVar(&o.quick, "quick", false, "fewer and smaller measurements")
	pattern := fs.String("run", "", "measure only what matches this `regular expression`")
	fs.StringVar(&o.json, "json", "", "write all values to this `file`")
	fs.StringVar(&o.tine, "tine", "", "`path` of the tine binary (default: ./cmd/tine is built)")
	fs.IntVar(&o.rounds, "rounds", 3, "how often each is measured; at least 3")
	fs.DurationVar(&o.limit, "limit", 2*time.Minute, "longest time for one measurement on one target")
	var own []string
	for i := 0; i < len(args); i++ {
		name, _, hasValue := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		f := fs.Lookup(name)
		switch {
		case name == "h" || name == "help":
			own = append(own, "-h")
		case f == nil || !strings.HasPrefix(args[i], "-"):
			o.tineFlags = append(o.tineFlags, args[i])
		default:
			own = append(own, args[i])
			if b, ok := f.Value.(interface{ IsBoolFlag() bool }); !hasValue && !(ok && b.IsBoolFlag()) && i+1 < len(args) {
				i++
				own = append(own, args[i])
			}
		}
	}
	if err := fs.Parse(own); err != nil {
		return nil, err
	}
	o.rounds = max(o.rounds, 3)
	var err error
	o.run, err = regexp.Compile(*pattern)
	return o, err
}

func bench(o *options) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return fmt.Errorf("native values need linux/amd64, this is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	dir, err := os.MkdirTemp("", "tine-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(o, dir); err != nil {
		return err
	}
	targets := findTargets(o, dir)
	report := &report{Targets: targets}
	for _, m := range measurements(o) {
		if !o.run.MatchString(m.name) {
			continue
		}
		row := m.measure(o, dir, targets)
		report.Rows = append(report.Rows, row)
	}
	report.Clock = clockCheck(o, dir, targets)
	if o.run.MatchString("memory of a fork") {
		report.Memory = forkMemory(o, dir, targets)
	}
	report.print(os.Stdout)
	if o.json != "" {
		return report.writeJSON(o.json)
	}
	return nil
}

// build compiles the micro programs, and tine if no binary was given.
func build(o *options, dir string) error {
	sources, err := microSources.ReadDir("micro")
	if err != nil {
		return err
	}
	for _, s := range sources {
		text, err := microSources.ReadFile("micro/" + s.Name())
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, s.Name()), text, 0o644); err != nil {
			return err
		}
	}
	for _, s := range sources {
		name, isC := strings.CutSuffix(s.Name(), ".c")
		if !isC {
			continue
		}
		progress("compiling %s", s.Name())
		cmd := exec.Command("gcc", "-O2", "-fno-inline-functions", "-w", "-static", "-pthread", "-o", name, s.Name())
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("gcc %s: %w\n%s", s.Name(), err, out)
		}
	}
	if o.tine != "" {
		o.tine, err = filepath.Abs(o.tine)
		return err
	}
	o.tine = filepath.Join(dir, "tine")
	progress("building ./cmd/tine")
	out, err := exec.Command("go", "build", "-o", o.tine, "github.com/tinevm/tine/cmd/tine").CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build ./cmd/tine: %w\n%s", err, out)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
