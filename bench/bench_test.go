package main

import (
	"encoding/xml"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// sampleReport has one row met, one missed, and a curve with a gap.
func sampleReport() *report {
	v := func(x ...float64) value { return value{median(x), x} }
	return &report{
		Host:    host{CPU: "A <CPU>", Processors: 2, MemoryMB: 2048, Kernel: "Linux 6", System: "Debian"},
		Targets: []*target{{Name: "native", Version: "Linux"}, {Name: "tine", Version: "tine 1"}, {Name: "qemu", Version: "7"}},
		Rows: []*row{
			{Name: "kernel/null system call", NS: map[string]value{"native": v(100, 110, 90), "tine": v(200, 210, 190)}},
			{Name: rowFork1GB, NS: map[string]value{"native": v(1e8, 1e8, 1e8), "tine": v(3e4, 3e4, 3e4), "qemu": v(2e8, 2e8, 2e8)}},
			{Name: "process/fork + exit + wait, " + forkName(4096, 1), NS: map[string]value{"tine": v(9e4, 9e4, 9e4)}},
			{Name: rowTrue, NS: map[string]value{"native": v(1e6, 1e6, 1e6), "tine": v(9e6, 9e6, 9e6)}},
		},
		Clock: map[string]float64{"native": 1, "tine": 0.95},
		Curves: []*curve{
			{Chart: "processes", Value: "context switch", Target: "tine", Points: []point{{X: 10, NS: &value{5000, []float64{4000, 5000, 6000}}}, {X: 100000, NS: &value{7000, []float64{7000}}}}},
			{Chart: "processes", Value: "context switch", Target: "native", Points: []point{{X: 10, NS: &value{3000, []float64{3000}}}, {X: 100000, Error: "left out: too few"}}},
		},
	}
}

func TestPage(t *testing.T) {
	files, err := sampleReport().page()
	if err != nil {
		t.Fatal(err)
	}
	page := files["performance.md"]
	for _, want := range []string{
		"| null system call | at most 0.7× native | 2.00× | **missed** |",
		"| fork + exit + wait, 1 GB touched | at most 0.0005× native | 0.00030× | met |",
		"| fork + exit + wait, 4 GB touched | at most 2× that with 1 GB | 3.00× | **missed** |",
		"| start of /bin/true | at most 10 ms more than native | 8.0 ms more | met |",
		"| copy-on-write fault | at most 0.3× native | – | not measured |",
		"| null system call | 100 ns ±10 % | 200 ns ±5 % · 2.00× | – |",
		"- **null system call, 2.00×.** ",
		"- context switch, tine: 5.00 µs at 10, 7.00 µs at 100,000, at most 1.40× the first\n",
		"- context switch, native: 3.00 µs at 10, 3.00 µs at 10, at most 1.00× the first; nothing from 100,000 on: left out: too few\n",
		"100 % (native), 95 % (tine)",
		"![What a process costs among many](scale-processes.svg)",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if strings.Contains(page, "**fork + exit + wait, 1 GB touched, ") {
		t.Error("a row that is faster is among the slower ones")
	}
	if len(files) != 2 {
		t.Errorf("%d files, want the page and one picture", len(files))
	}
	for d := xml.NewDecoder(strings.NewReader(files["scale-processes.svg"])); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("the picture is not XML: %v", err)
		}
	}
}

// TestSlowerHasReasons: whatever is slower, the template says why.
func TestSlowerHasReasons(t *testing.T) {
	r := &report{}
	for _, m := range measurements(&options{}) {
		for _, v := range m.values {
			r.Rows = append(r.Rows, &row{Name: v.name, NS: map[string]value{"native": {1, []float64{1}}, "tine": {2, []float64{2}}}})
		}
	}
	files, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.Rows {
		if !strings.Contains(files["performance.md"], "**"+plain(row.Name)+", 2.00×.** ") {
			t.Errorf("the page does not explain %s", row.Name)
		}
	}
}

// TestGoalsHaveRows: a goal for a row that nobody measures would never be missed.
func TestGoalsHaveRows(t *testing.T) {
	rows := map[string]bool{"cpu/geometric mean": true}
	for _, m := range measurements(&options{}) {
		for _, v := range m.values {
			rows[v.name] = true
		}
	}
	for _, g := range goals() {
		if !rows[g.name] {
			t.Errorf("no row %q", g.name)
		}
	}
}

// TestMerge: newer values take the place of older ones, in the order of the list.
func TestMerge(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.json")
	r := sampleReport()
	if err := r.writeJSON(path); err != nil {
		t.Fatal(err)
	}
	known, err := readReport(path, r.Host)
	if err != nil {
		t.Fatal(err)
	}
	known.merge(&report{Host: r.Host, Rows: []*row{
		{Name: rowForkNothing, Tine: "new"},
		{Name: "kernel/null system call", Tine: "new"},
	}})
	var names []string
	for _, row := range known.Rows {
		names = append(names, row.Name+" "+row.Tine)
	}
	want := "kernel/null system call new\n" + rowForkNothing + " new\n" + rowFork1GB + " \nprocess/fork + exit + wait, 4 GB touched \n" + rowTrue + " "
	if got := strings.Join(names, "\n"); got != want {
		t.Errorf("rows\n%s\nwant\n%s", got, want)
	}
	if len(known.Curves) != 2 || len(known.Targets) != 3 {
		t.Error("what was not measured anew is lost")
	}
	other := r.Host
	other.CPU = "another"
	if _, err := readReport(path, other); err == nil {
		t.Error("values of two hosts in one file")
	}
}

// TestPageIsCurrent: docs/performance.md is what its values and its text give.
func TestPageIsCurrent(t *testing.T) {
	r, err := loadReport("../docs/performance.json")
	if err != nil {
		t.Fatal(err)
	}
	files, err := r.page()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		if got, err := os.ReadFile("../docs/" + name); err != nil || string(got) != want {
			t.Errorf("docs/%s is stale: run go run ./bench -page", name)
		}
	}
}

func TestFiveHundredLines(t *testing.T) {
	if n := strings.Count(fiveHundredLines(), "\n"); n < 490 || n > 510 {
		t.Errorf("%d lines", n)
	}
}

// A ratio is that of runs in the same turn: it is right on a host that becomes twice as
// slow in between.
func TestOverNative(t *testing.T) {
	r := &row{NS: map[string]value{
		"native": {Median: 20, All: []float64{10, 20, 20, 10, 20}},
		"tine":   {Median: 10, All: []float64{5, 10, 10, 7, 10}},
		"qemu":   {Median: 40, All: []float64{30, 40, 50}},
	}}
	for target, want := range map[string]float64{"tine": 0.5, "qemu": 2.5} {
		if got, ok := r.overNative(target, quotient); !ok || got != want {
			t.Errorf("%s: %v, want %v", target, got, want)
		}
	}
	if got, ok := r.overNative("tine", difference); !ok || got != -10 {
		t.Errorf("difference %v", got)
	}
	if _, ok := r.overNative("runsc", quotient); ok {
		t.Error("a target without samples has a ratio")
	}
}
