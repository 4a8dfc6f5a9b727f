package main

import (
	_ "embed"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

// pageText is the page: its sentences, and the reasons why rows are slower
// than native ("why ROW", or "why SECTION" for rows without one of their own).
//
//go:embed page.md.tmpl
var pageText string

// publish writes the page and its pictures from what was measured.
func publish(o *options) error {
	r, err := loadReport(o.json)
	if err != nil {
		return err
	}
	files, err := r.page()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(o.docs, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	own := filepath.Join(o.docs, "performance.json")
	if a, err := filepath.Abs(o.json); err == nil {
		if b, err := filepath.Abs(own); err == nil && a == b {
			return nil
		}
	}
	return r.writeJSON(own)
}

// pageData is what the template sees.
type pageData struct {
	*report
	Columns  []column
	Rounds   int // the fewest runs of a value
	Sections []section
	Goals    []goalLine
	Charts   []chartLine
	Slower   []slowerLine
	Versions []string // of tine, if the rows are not all of one
}

// column is a target of the tables.
type column struct{ Name, Heading, Version string }

// section is a table of the page.
type section struct {
	Name string
	Rows []*row
}

type goalLine struct{ Name, Wanted, Measured, Verdict string }

// chartLine is a picture with what it says in numbers.
type chartLine struct {
	File, Title string
	Lines       []string
}

// slowerLine is a row on which tine is slower than native, and why.
type slowerLine struct{ Name, Ratio, Why string }

// page makes the files of the page, by name. Equal reports give equal files.
func (r *report) page() (map[string]string, error) {
	files := map[string]string{}
	data := pageData{report: r, Columns: r.columns(), Rounds: r.rounds(), Sections: r.sections(), Goals: r.goalLines()}
	for _, c := range charts(&options{}) {
		var curves []*curve
		for _, curve := range r.Curves {
			if curve.Chart == c.name {
				curves = append(curves, curve)
			}
		}
		if svg := drawChart(c, curves); svg != "" {
			file := "scale-" + c.name + ".svg"
			files[file] = svg
			data.Charts = append(data.Charts, chartLine{file, c.title, growth(c, curves)})
		}
	}
	t, err := template.New("page").Funcs(template.FuncMap{"cell": cell, "plain": plain, "percent": percent}).Parse(pageText)
	if err != nil {
		return nil, err
	}
	if data.Slower, err = r.slower(t); err != nil {
		return nil, err
	}
	if v := r.versions(); len(v) > 1 {
		data.Versions = v
	}
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		return nil, err
	}
	files["performance.md"] = strings.TrimSpace(b.String()) + "\n"
	return files, nil
}

func (r *report) columns() []column {
	var list []column
	for _, name := range targetNames {
		for _, t := range r.Targets {
			if t.Name == name.name {
				list = append(list, column{t.Name, name.heading, t.Version})
			}
		}
	}
	return list
}

func (r *report) rounds() int {
	n := math.MaxInt
	for _, row := range r.Rows {
		for _, v := range row.NS {
			n = min(n, len(v.All))
		}
	}
	return n
}

// sections are the rows by the first part of their names.
func (r *report) sections() []section {
	var list []section
	for _, row := range r.Rows {
		name, _ := splitName(row.Name)
		if len(list) == 0 || list[len(list)-1].Name != name {
			list = append(list, section{Name: name})
		}
		list[len(list)-1].Rows = append(list[len(list)-1].Rows, row)
	}
	return list
}

func (r *report) goalLines() []goalLine {
	var list []goalLine
	for _, g := range goals() {
		line := goalLine{Name: plain(g.name), Wanted: g.wanted(), Measured: "–", Verdict: "not measured"}
		if got, ok := g.measured(r); ok {
			line.Measured, line.Verdict = g.number(got), verdict(got <= g.limit)
			if got > g.limit {
				line.Verdict = "**" + line.Verdict + "**"
			}
		}
		list = append(list, line)
	}
	return list
}

// slower finds the rows on which tine takes a tenth longer than native or more.
func (r *report) slower(t *template.Template) ([]slowerLine, error) {
	var list []slowerLine
	for _, row := range r.Rows {
		x, ok := goal{name: row.Name}.measured(r)
		if !ok || x < 1.1 {
			continue
		}
		section, _ := splitName(row.Name)
		why := t.Lookup("why " + row.Name)
		if why == nil {
			why = t.Lookup("why " + section)
		}
		if why == nil {
			return nil, fmt.Errorf("%s is slower than native and page.md.tmpl does not say why", row.Name)
		}
		var b strings.Builder
		if err := why.Execute(&b, r); err != nil {
			return nil, err
		}
		list = append(list, slowerLine{plain(row.Name), ratio(x), strings.ReplaceAll(strings.TrimSpace(b.String()), "\n", "\n  ")})
	}
	return list, nil
}

// versions are those of tine that were measured.
func (r *report) versions() []string {
	var list []string
	seen := map[string]bool{}
	add := func(v string) {
		if v != "" && !seen[v] {
			seen[v] = true
			list = append(list, v)
		}
	}
	for _, row := range r.Rows {
		add(row.Tine)
	}
	for _, c := range r.Curves {
		add(c.Tine)
	}
	return list
}

// growth says of each curve where it begins, where it ends, and what is missing.
func growth(c chart, curves []*curve) []string {
	var list []string
	for _, curve := range curves {
		points, missing := curve.measured(), ""
		for _, p := range curve.Points {
			if p.NS == nil && missing == "" {
				missing = fmt.Sprintf("; nothing from %s on: %s", thousands(int(p.X)), p.Error)
			}
		}
		if len(points) == 0 {
			continue
		}
		first, last := points[0], points[len(points)-1]
		most := 0.0
		for _, p := range points {
			most = math.Max(most, p.NS.Median/first.NS.Median)
		}
		list = append(list, fmt.Sprintf("%s, %s: %s at %s, %s at %s, at most %s the first%s", curve.Value, curve.Target,
			duration(first.NS.Median), thousands(int(first.X)), duration(last.NS.Median), thousands(int(last.X)), ratio(most), missing))
	}
	return list
}

// cell is a value of a row in the table, with its spread and ratio.
func cell(row *row, target string) string {
	v, ok := row.NS[target]
	if !ok {
		return "–"
	}
	s := fmt.Sprintf("%s ±%.0f %%", duration(v.Median), 100*v.spread())
	if r := row.ratio(target); target != "native" && r != "" {
		s += " · " + r
	}
	return s
}

// plain is a row's name without its section.
func plain(name string) string {
	section, rest := splitName(name)
	if section == "cpu" {
		return "computing: " + rest
	}
	return rest
}

func percent(x float64) string { return fmt.Sprintf("%.0f %%", 100*x) }
