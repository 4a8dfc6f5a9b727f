package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"text/tabwriter"
)

// A report is what was measured on one host, in one run of bench or several.
type report struct {
	Host    host      `json:"host"`
	Targets []*target `json:"targets"`
	Rows    []*row    `json:"rows,omitempty"`
	// Clock is the part of the host's time that passed inside, by target.
	Clock  map[string]float64 `json:"clock,omitempty"`
	Memory []memoryStage      `json:"fork_memory,omitempty"`
	Curves []*curve           `json:"curves,omitempty"`
}

// loadReport reads what was measured before.
func loadReport(path string) (*report, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	r := &report{}
	if err := json.Unmarshal(b, r); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return r, nil
}

// readReport is loadReport for a file that values of this host are added to;
// there may be none yet.
func readReport(path string, h host) (*report, error) {
	if path == "" {
		return &report{Host: h}, nil
	}
	r, err := loadReport(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return &report{Host: h}, nil
	case err != nil:
		return nil, err
	case !r.Host.same(h):
		return nil, fmt.Errorf("%s has values of another host (%v): remove it or name another file", path, r.Host)
	}
	return r, nil
}

// merge adds newer values; they replace those of the same name.
func (r *report) merge(newer *report) {
	newer.Host.Load = max(newer.Host.Load, r.Host.Load)
	r.Host = newer.Host
	for _, t := range newer.Targets {
		r.Targets = replace(r.Targets, t, func(old *target) bool { return old.Name == t.Name })
	}
	for _, n := range newer.Rows {
		r.Rows = replace(r.Rows, n, func(old *row) bool { return old.Name == n.Name })
	}
	for _, n := range newer.Curves {
		r.Curves = replace(r.Curves, n, func(old *curve) bool {
			return old.Chart == n.Chart && old.Value == n.Value && old.Target == n.Target
		})
	}
	if newer.Clock != nil {
		r.Clock = newer.Clock
	}
	if newer.Memory != nil {
		r.Memory = newer.Memory
	}
	order := map[string]int{}
	for _, m := range measurements(&options{}) {
		for _, v := range m.values {
			order[v.name] = len(order) + 1
		}
	}
	slices.SortStableFunc(r.Rows, func(a, b *row) int { return order[a.Name] - order[b.Name] })
}

// replace puts v in the place of the element that is the same, or at the end.
func replace[T any](list []T, v T, same func(T) bool) []T {
	if i := slices.IndexFunc(list, same); i >= 0 {
		list[i] = v
		return list
	}
	return append(list, v)
}

func (r *report) writeJSON(path string) error {
	b, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o644)
}

// row finds a row that was measured, or nil.
func (r *report) row(name string) *row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return nil
}

// print writes the tables: values with their spread, and ratios to native.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "%v, %s\n", r.Host, r.Host.Go)
	for _, t := range r.Targets {
		fmt.Fprintf(w, "%s: %s\n", t.Name, t.Version)
	}
	if len(r.Rows) > 0 {
		r.printRows(w)
		r.printGoals(w)
	}
	if len(r.Clock) > 0 {
		fmt.Fprint(w, "\nclock inside against the host's (start included, so a little below 1):")
		for _, t := range r.Targets {
			if part, ok := r.Clock[t.Name]; ok {
				fmt.Fprintf(w, " %s %.2f", t.Name, part)
			}
		}
		fmt.Fprintln(w)
	}
	r.printMemory(w)
	r.printCurves(w)
	for _, row := range r.Rows {
		for _, t := range r.Targets {
			if e := row.Errors[t.Name]; e != "" {
				fmt.Fprintf(w, "! %s on %s: %s\n", row.Name, t.Name, e)
			}
		}
	}
}

func (r *report) printRows(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprint(tw, "\n\t")
	for _, t := range r.Targets {
		fmt.Fprintf(tw, "%s\t", t.Name)
		if t.Name != "native" {
			fmt.Fprint(tw, "÷ native\t")
		}
	}
	fmt.Fprintln(tw, "tine Minstr/s\t")
	for _, row := range r.Rows {
		fmt.Fprintf(tw, "%s\t", row.Name)
		for _, t := range r.Targets {
			v, ok := row.NS[t.Name]
			if ok {
				fmt.Fprintf(tw, "%v\t", v)
			} else {
				fmt.Fprint(tw, "–\t")
			}
			if t.Name != "native" {
				fmt.Fprintf(tw, "%s\t", row.ratio(t.Name))
			}
		}
		if row.MIPS > 0 {
			fmt.Fprintf(tw, "%.0f", row.MIPS)
		}
		fmt.Fprintln(tw, "\t")
	}
	tw.Flush()
	fmt.Fprintln(w, "\n± half the distance of the extremes; ~ samples differ by more than half: do not quote the ratio")
}

func (r *report) printGoals(w io.Writer) {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tw, "\ngoal\twanted\tmeasured\t")
	for _, g := range goals() {
		if got, ok := g.measured(r); ok {
			fmt.Fprintf(tw, "%s\t%s\t%s\t%s\n", g.name, g.wanted(), g.number(got), verdict(got <= g.limit))
		}
	}
	tw.Flush()
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
			fmt.Fprintf(tw, "%s\t", s.Megabytes(t.Name))
		}
		fmt.Fprintln(tw)
	}
	tw.Flush()
}

func (r *report) printCurves(w io.Writer) {
	for _, c := range r.Curves {
		fmt.Fprintf(w, "\n%s, %s, %s:\n", c.Chart, c.Value, c.Target)
		for _, p := range c.Points {
			if p.NS == nil {
				fmt.Fprintf(w, "%9.0f  %s\n", p.X, p.Error)
			} else {
				fmt.Fprintf(w, "%9.0f  %v\n", p.X, *p.NS)
			}
		}
	}
}

// overNative is the median of what f makes of each sample of a target and that of native
// Linux in the same turn.
func (row *row) overNative(target string, f func(target, native float64) float64) (x float64, ok bool) {
	v, native := row.NS[target].All, row.NS["native"].All
	all := make([]float64, min(len(v), len(native)))
	for i := range all {
		all[i] = f(v[i], native[i])
	}
	return median(all), len(all) > 0
}

func quotient(a, b float64) float64   { return a / b }
func difference(a, b float64) float64 { return a - b }

// ratio is that of a target to native Linux, as text.
func (row *row) ratio(target string) string {
	x, ok := row.overNative(target, quotient)
	if !ok {
		return ""
	}
	return ratio(x)
}

// ratio has two digits that mean something.
func ratio(x float64) string {
	switch {
	case x < 0.001:
		return fmt.Sprintf("%.5f×", x)
	case x < 0.1:
		return fmt.Sprintf("%.3f×", x)
	case x < 10:
		return fmt.Sprintf("%.2f×", x)
	}
	return fmt.Sprintf("%.0f×", x)
}

// String is the median with its spread, marked when it is not to be relied upon.
func (v value) String() string {
	s := fmt.Sprintf("%s ±%.0f%%", duration(v.Median), 100*v.spread())
	if v.noisy() {
		return "~" + s
	}
	return s
}

// duration is a time in the unit that suits it.
func duration(ns float64) string {
	for _, u := range []struct {
		name string
		ns   float64
	}{{"s", 1e9}, {"ms", 1e6}, {"µs", 1e3}} {
		if ns >= u.ns {
			return fmt.Sprintf("%.*f %s", digits(ns/u.ns), ns/u.ns, u.name)
		}
	}
	return fmt.Sprintf("%.*f ns", digits(ns), ns)
}

// digits is how many decimals make three digits, at most two.
func digits(x float64) int {
	switch {
	case x >= 100:
		return 0
	case x >= 10:
		return 1
	}
	return 2
}
