package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"runtime"
	"text/tabwriter"
)

// A report is all that one run of bench measured.
type report struct {
	Targets []*target `json:"targets"`
	Rows    []*row    `json:"rows"`
	// Clock is the part of the host's time that passed inside, by target.
	Clock  map[string]float64 `json:"clock"`
	Memory []memoryStage      `json:"fork_memory,omitempty"`
}

// print writes the tables: absolute values, and ratios to native.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%d processors", runtime.NumCPU())
	for _, t := range r.Targets {
		fmt.Fprintf(w, "; %s: %s", t.Name, t.Version)
	}
	fmt.Fprint(w, "\n\n")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\t")
	for _, t := range r.Targets {
		fmt.Fprintf(tw, "%s\t", t.Name)
		if t.Name != "native" {
			fmt.Fprint(tw, "÷ native\t")
		}
	}
	if len(r.Targets) == 2 {
		fmt.Fprint(tw, "qemu\t")
	}
	fmt.Fprintln(tw, "tine Minstr/s\t")
	for _, row := range r.Rows {
		r.printRow(tw, row)
	}
	tw.Flush()
	fmt.Fprint(w, "\n~ samples differ by more than half: do not quote the ratio\nclock inside against the host's (startup included, so a little below 1):")
	for _, t := range r.Targets {
		fmt.Fprintf(w, " %s %.2f", t.Name, r.Clock[t.Name])
	}
	fmt.Fprintln(w)
	r.printMemory(w)
	for _, row := range r.Rows {
		for _, t := range r.Targets {
			if e := row.Errors[t.Name]; e != "" && e != errNotComparable.Error() {
				fmt.Fprintf(w, "! %s on %s: %s\n", row.Name, t.Name, e)
			}
		}
	}
}

func (r *report) printRow(w io.Writer, row *row) {
	fmt.Fprintf(w, "%s\t", row.Name)
	native := row.NS["native"].Median
	for _, t := range r.Targets {
		v, ok := row.NS[t.Name]
		switch {
		case !ok && t.Name == "native":
			fmt.Fprint(w, "–\t")
		case !ok:
			fmt.Fprint(w, "–\t\t")
		case t.Name == "native":
			fmt.Fprintf(w, "%s\t", v)
		default:
			fmt.Fprintf(w, "%s\t%s\t", v, ratio(v.Median, native))
		}
	}
	if len(r.Targets) == 2 {
		fmt.Fprint(w, "absent\t")
	}
	if row.MIPS > 0 {
		fmt.Fprintf(w, "%.0f", row.MIPS)
	}
	fmt.Fprintln(w, "\t")
}

func (r *report) printMemory(w io.Writer) {
	if len(r.Memory) == 0 {
		return
	}
	fmt.Fprintln(w, "\nMemory of the host in use, MB:")
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\t")
	for _, t := range r.Targets {
		fmt.Fprintf(tw, "%s\t", t.Name)
	}
	fmt.Fprintln(tw)
	for _, s := range r.Memory {
		fmt.Fprintf(tw, "%s\t", s.Stage)
		for _, t := range r.Targets {
			if mb, ok := s.MB[t.Name]; ok {
				fmt.Fprintf(tw, "%.0f\t", mb)
			} else {
				fmt.Fprint(tw, "–\t")
			}
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

func ratio(v, native float64) string {
	if native == 0 {
		return ""
	}
	if v/native < 0.1 {
		return fmt.Sprintf("%.4f×", v/native)
	}
	if v/native < 10 {
		return fmt.Sprintf("%.2f×", v/native)
	}
	return fmt.Sprintf("%.0f×", v/native)
}

// String is the median, marked when it is not to be relied upon.
func (v value) String() string {
	if v.noisy() {
		return "~" + duration(v.Median)
	}
	return duration(v.Median)
}

// duration is a time in the unit that suits it.
func duration(ns float64) string {
	for _, u := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.ns {
			return fmt.Sprintf("%.3g %s", ns/u.ns, u.name)
		}
	}
	return fmt.Sprintf("%.3g ns", ns)
}

func (r *report) writeJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}
