// Command bench measures tine beside native Linux, qemu-user and gVisor, in
// one run: process operations, system calls, computing, and whole programs.
//
//	go run ./bench [-quick] [-run REGEX] [-json FILE] [flags for tine run]
//	go run ./bench -scale [-run REGEX] [-json FILE]
//	go run ./bench -page [-json FILE]
//
// The first form measures rows, the second how costs grow with the number of
// processes, the memory and the mappings; -json adds what was measured to
// what the file has of this host, so that long measurements can be made in
// parts. The third form measures nothing: it writes docs/performance.md and
// its curves from the file.
//
// The micro programs in bench/micro measure themselves, so that the start of a
// process is not counted; programs are timed from outside, start included.
// Each value is the median of at least three. Flags that bench does not know
// go to tine run, as -cpus=1.
package main

import (
	"embed"
	"errors"
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
	scale     bool
	page      bool
	docs      string
	run       *regexp.Regexp
	json      string
	tine      string
	built     bool // tine was built for this run
	rounds    int
	limit     time.Duration
	tineFlags []string
}

func main() {
	o, err := parse(os.Args[1:])
	switch {
	case err != nil:
	case o.page:
		err = publish(o)
	default:
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
	fs.BoolVar(&o.quick, "quick", false, "fewer and shorter measurements")
	fs.BoolVar(&o.scale, "scale", false, "measure how costs grow, in place of the rows")
	fs.BoolVar(&o.page, "page", false, "measure nothing, write performance.md and its curves from the -json file")
	fs.StringVar(&o.docs, "docs", "docs", "the `folder` that -page writes to")
	pattern := fs.String("run", "", "measure only what matches this `regular expression`, such as ^cpu/")
	fs.StringVar(&o.json, "json", "", "add all values to this `file`")
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
	if o.page && o.json == "" {
		o.json = filepath.Join(o.docs, "performance.json")
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
	if o.quick && o.json != "" {
		return errors.New("-quick is for a look: its values do not belong among those of -json")
	}
	host := thisHost()
	known, err := readReport(o.json, host)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "tine-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := build(o, dir); err != nil {
		return err
	}
	cache, err := os.MkdirTemp("", "tine-bench-cache-") // dir is what machines may write
	if err != nil {
		return err
	}
	defer os.RemoveAll(cache)
	if err := os.Setenv(cacheVariable, cache); err != nil {
		return err
	}
	s := &session{options: o, dir: dir, targets: findTargets(o, dir), start: time.Now()}
	if host.Busy() {
		s.say("the host is busy: others use %.1f of %d processors; values will be noisy", host.Load, host.Processors)
	}
	r := &report{Host: host, Targets: s.targets}
	if o.scale {
		s.measureScale(r)
	} else {
		s.measureRows(r)
	}
	r.print(os.Stdout)
	if o.json == "" {
		return nil
	}
	known.merge(r)
	return known.writeJSON(o.json)
}

// measureRows measures the rows that were asked for, and what goes with them.
func (s *session) measureRows(r *report) {
	var list []measurement
	for _, m := range measurements(s.options) {
		if m.matches(s.run) {
			list = append(list, m)
		}
	}
	for i, m := range list {
		r.Rows = append(r.Rows, s.measure(m, fmt.Sprintf("[%d/%d]", i+1, len(list)))...)
	}
	r.Clock = s.clockCheck()
	if s.run.MatchString("process/memory of a fork") {
		r.Memory = s.forkMemory()
	}
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
	if err := os.WriteFile(filepath.Join(dir, "lines.c"), []byte(fiveHundredLines()), 0o644); err != nil {
		return err
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
	o.tine, o.built = filepath.Join(dir, "tine"), true
	progress("building ./cmd/tine")
	cmd := exec.Command("go", "build", "-o", o.tine, "github.com/tinevm/tine/cmd/tine")
	// As make build does: with cgo the binary would be linked with the host's libc,
	// which takes two milliseconds of each start.
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("go build ./cmd/tine: %w\n%s", err, out)
	}
	return nil
}

func progress(format string, args ...any) {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
}
