package trace

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/tinevm/tine/internal/linux"
)

// summary counts calls.
type summary struct{ calls map[int]*tally }

// tally is what is known of one call.
type tally struct {
	nr, n, errors int
	time          int64 // from entry to return, ns
}

func (s *summary) count(nr int, ns int64, failed bool) {
	if s.calls == nil {
		s.calls = make(map[int]*tally)
	}
	c := s.calls[nr]
	if c == nil {
		c = &tally{nr: nr}
		s.calls[nr] = c
	}
	c.n++
	c.time += ns
	if failed {
		c.errors++
	}
}

// SortKeys are the columns a summary can be sorted by (-S).
var SortKeys = []string{"time", "calls", "errors", "name", "nothing"}

// Summary writes the table of strace -c. The time of a call is that from its
// beginning to its end, waiting included, as with -w.
func (p *Printer) Summary(w io.Writer, sort string) error {
	var list []*tally
	var all tally
	for _, c := range p.summary.calls {
		list = append(list, c)
		all.n, all.errors, all.time = all.n+c.n, all.errors+c.errors, all.time+c.time
	}
	slices.SortFunc(list, func(a, b *tally) int {
		o := 0
		switch sort {
		case "calls":
			o = b.n - a.n
		case "errors":
			o = b.errors - a.errors
		case "name":
			o = cmp.Compare(linux.SyscallName(a.nr), linux.SyscallName(b.nr))
		case "nothing":
		default:
			o = cmp.Compare(b.time, a.time)
		}
		if o == 0 {
			o = a.nr - b.nr
		}
		return o
	})
	const rule = "------ ----------- ----------- --------- --------- ----------------\n"
	s := "% time     seconds  usecs/call     calls    errors syscall\n" + rule
	row := func(c *tally, name string) {
		percent, errors := 0.0, ""
		if all.time > 0 {
			percent = 100 * float64(c.time) / float64(all.time)
		}
		if c.errors > 0 {
			errors = fmt.Sprint(c.errors)
		}
		s += fmt.Sprintf("%6.2f %4d.%06d %11d %9d %9s %s\n", percent, c.time/1e9, c.time/1e3%1e6, c.time/1000/int64(max(c.n, 1)), c.n, errors, name)
	}
	for _, c := range list {
		row(c, linux.SyscallName(c.nr))
	}
	s += rule
	row(&all, "total")
	_, err := io.WriteString(w, s)
	return err
}
