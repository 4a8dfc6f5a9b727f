// Mkmodel writes docs/process-model.md from the table of the process model and
// from the recorded results of its tests. With -record it first takes results
// from what go test -json prints on standard input, in place of older ones of
// the same tests:
//
//	go test -json ./internal/oracle | go run ./internal/oracle/mkmodel -record
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/oracle/model"
)

func main() {
	record := flag.Bool("record", false, "take results from go test -json on standard input")
	flag.Parse()
	if err := run(*record); err != nil {
		fmt.Fprintln(os.Stderr, "mkmodel:", err)
		os.Exit(1)
	}
}

func run(record bool) error {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return fmt.Errorf("folder of the module: %w", err)
	}
	root := strings.TrimSpace(string(out))
	file := filepath.Join(root, "internal/oracle/model/results.txt")
	results, err := read(file)
	if err != nil {
		return err
	}
	if record {
		fresh, err := fromJSON(os.Stdin)
		if err != nil {
			return err
		}
		results = merge(results, fresh)
		var b bytes.Buffer
		if err := model.WriteResults(&b, results); err != nil {
			return err
		}
		if err := os.WriteFile(file, b.Bytes(), 0o644); err != nil {
			return err
		}
	}
	page := filepath.Join(root, "docs/process-model.md")
	if err := os.MkdirAll(filepath.Dir(page), 0o755); err != nil {
		return err
	}
	return os.WriteFile(page, model.Page(results), 0o644)
}

func read(file string) ([]model.Result, error) {
	b, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return model.ReadResults(bytes.NewReader(b))
}

// merge puts fresh results in place of old ones; results of tests that the
// table no longer names are dropped.
func merge(old, fresh []model.Result) []model.Result {
	byTest := map[string]model.Result{}
	for _, r := range slices.Concat(old, fresh) {
		byTest[r.Test] = r
	}
	var all []model.Result
	for _, r := range byTest {
		if model.Names(r.Test) {
			all = append(all, r)
		}
	}
	return all
}

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Package, Test, Output string
}

const module = "github.com/tinevm/tine"

// fromJSON gives the results of tests without subtests: those above them only
// repeat what these say.
func fromJSON(r io.Reader) ([]model.Result, error) {
	type seen struct {
		model.Result
		done bool
	}
	tests := map[string]*seen{}
	var order []string
	parents := map[string]bool{}
	d := json.NewDecoder(r)
	for {
		var e event
		if err := d.Decode(&e); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go test -json: %w", err)
		}
		if e.Test == "" {
			continue
		}
		name := testName(e.Package, e.Test)
		t := tests[name]
		if t == nil {
			t = &seen{Result: model.Result{Test: name, Native: "-"}}
			tests[name] = t
			order = append(order, name)
			for i, c := range name {
				if c == '/' && !strings.Contains(name[i:], ":") {
					parents[name[:i]] = true
				}
			}
		}
		switch e.Action {
		case "output":
			switch {
			case strings.Contains(e.Output, "native run failed"):
				t.Native = "fail"
			case strings.Contains(e.Output, "native run: ") && t.Native == "-":
				t.Native = "pass"
			}
			// The last line with a place in it says why a test is skipped.
			if text := strings.TrimSpace(e.Output); strings.Contains(text, "_test.go:") {
				_, t.Why, _ = strings.Cut(text, ": ")
			}
		case "pass", "fail", "skip":
			t.Tine, t.done = e.Action, true
			if e.Action != "skip" {
				t.Why = ""
			}
		}
	}
	var results []model.Result
	for _, name := range order {
		if t := tests[name]; t.done && !parents[name] {
			t.Why = strings.ReplaceAll(t.Why, "\t", " ")
			results = append(results, t.Result)
		}
	}
	return results, nil
}

func testName(pkg, test string) string {
	folder := strings.TrimPrefix(strings.TrimPrefix(pkg, module), "/")
	if folder == "internal/oracle" {
		return test
	}
	if folder == "" {
		folder = "tine"
	}
	return folder + ":" + test
}
