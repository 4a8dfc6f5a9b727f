package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/tinevm/tine/internal/picture"
)

// table is rows of cells, the headings first. A heading that begins with < is
// one of numbers, which are aligned to the right.
type table [][]string

// print writes the table with columns as wide as they must be.
func (t table) print(w io.Writer) error {
	head := t[0]
	width := make([]int, len(head))
	right := make([]bool, len(head))
	for i, h := range head {
		head[i], right[i] = strings.CutPrefix(h, "<")
	}
	for _, row := range t {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range t {
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch {
			case right[i]:
				b.WriteString(pad + cell)
			case i == len(row)-1:
				b.WriteString(cell)
			default:
				b.WriteString(cell + pad)
			}
			if i < len(row)-1 {
				b.WriteString("  ")
			}
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// printJSON prints v as a line of JSON.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// size shows bytes with a unit, so that they fit into six characters.
func size(n int64) string {
	const units = "KMGTPE"
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	f := float64(n)
	i := -1
	for f >= 1024 && i < len(units)-1 {
		f /= 1024
		i++
	}
	if f < 100 {
		return fmt.Sprintf("%.1f%c", f, units[i])
	}
	return fmt.Sprintf("%.0f%c", f, units[i])
}

// commandLine shows arguments as ps does.
func commandLine(argv []string) string { return picture.Printable(strings.Join(argv, " ")) }
