package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/control"
	"github.com/tinevm/tine/internal/picture"
)

func newPsCommand() *cobra.Command {
	return view("ps", "List the processes of a machine", `List the processes of a machine.

The columns are process, parent, process group; user; state as in ps (R running,
S sleeping, D uninterruptible, T stopped, Z zombie); threads; memory present, and
the part of it that no other process has; processor time; terminal; the system
call it waits in; command line.`,
		func(out io.Writer, name string, asJSON bool) error {
			list, err := control.Processes(name)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(out, list)
			}
			t := table{{"<PID", "<PPID", "<PGID", "<UID", "S", "<THR", "<RSS", "<PRIV", "<TIME", "TTY", "WCHAN", "COMMAND"}}
			for i := range list {
				t = append(t, psRow(&list[i]))
			}
			return t.print(out)
		})
}

func psRow(p *tine.Process) []string {
	orDash := func(s string) string {
		if s == "" {
			return "-"
		}
		return s
	}
	return []string{
		strconv.Itoa(p.PID), strconv.Itoa(p.PPID), strconv.Itoa(p.PGID), strconv.FormatUint(uint64(p.UID), 10), p.State,
		strconv.Itoa(len(p.Threads)), size(p.RSS), size(p.Private),
		fmt.Sprintf("%.2fs", time.Duration(p.UserTime+p.SystemTime).Seconds()),
		orDash(p.TTY), orDash(p.Wchan), psCommand(p),
	}
}

// psCommand is the last column of ps: a process without arguments shows its
// name in brackets.
func psCommand(p *tine.Process) string {
	switch {
	case p.State == "Z":
		return "[" + picture.Printable(p.Comm) + "] <defunct>"
	case len(p.Cmdline) == 0:
		return "[" + picture.Printable(p.Comm) + "]"
	}
	return commandLine(p.Cmdline)
}

func newTreeCommand() *cobra.Command {
	var ascii bool
	cmd := view("tree", "Draw the family tree of a machine's processes", `Draw the processes of a machine and who is whose child, as "pstree -p" draws
them: threads in braces, children in order of their names.`,
		func(out io.Writer, name string, asJSON bool) error {
			list, err := control.Processes(name)
			if err != nil {
				return err
			}
			roots := family(list)
			if asJSON {
				return printJSON(out, roots)
			}
			var b strings.Builder
			for _, r := range roots {
				r.draw(&b, nil, ascii)
			}
			_, err = io.WriteString(out, b.String())
			return err
		})
	cmd.Flags().BoolVarP(&ascii, "ascii", "A", false, "draw with ASCII characters")
	return cmd
}

// node is a process with its children, in order of their pids.
type node struct {
	tine.Process
	Children []*node `json:"children"`
}

// family arranges processes by parent. Those whose parent is not in the list
// are roots.
func family(list []tine.Process) []*node {
	byPID := make(map[int]*node, len(list))
	for _, p := range list {
		byPID[p.PID] = &node{Process: p, Children: []*node{}}
	}
	var roots []*node
	for _, p := range list {
		n := byPID[p.PID]
		if parent := byPID[p.PPID]; parent != nil && parent != n {
			parent.Children = append(parent.Children, n)
		} else {
			roots = append(roots, n)
		}
	}
	return roots
}

// branch is what the drawing shows below a process: a child, or one of its
// other threads.
type branch struct {
	name string // as pstree sorts it
	uid  uint32
	id   int
	node *node // nil for a thread
}

// branches lists them in pstree's order: by name, then user, then number.
func (n *node) branches() (list []branch) {
	for _, c := range n.Children {
		list = append(list, branch{c.Comm, c.UID, c.PID, c})
	}
	for _, t := range n.Threads {
		if t.TID != n.PID {
			list = append(list, branch{"{" + t.Comm + "}", n.UID, t.TID, nil})
		}
	}
	slices.SortStableFunc(list, func(a, b branch) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.uid, b.uid), cmp.Compare(a.id, b.id))
	})
	return list
}

// draw draws n behind what stands in the line already. lines are the columns
// that go on below: the width of each level's name, and whether more of its
// children follow.
func (n *node) draw(b *strings.Builder, lines []level, ascii bool) {
	label := picture.Printable(n.Comm) + "(" + strconv.Itoa(n.PID) + ")"
	b.WriteString(label)
	list := n.branches()
	if len(list) == 0 {
		b.WriteByte('\n')
		return
	}
	g := glyphsUTF8
	if ascii {
		g = glyphsASCII
	}
	for i, c := range list {
		more := i < len(list)-1
		switch {
		case i == 0 && more:
			b.WriteString(g.first)
		case i == 0:
			b.WriteString(g.only)
		default:
			for _, l := range lines {
				b.WriteString(strings.Repeat(" ", l.width))
				if l.more {
					b.WriteString(g.below)
				} else {
					b.WriteString("   ")
				}
			}
			b.WriteString(strings.Repeat(" ", len([]rune(label))))
			if more {
				b.WriteString(g.next)
			} else {
				b.WriteString(g.last)
			}
		}
		if c.node == nil {
			b.WriteString(picture.Printable(c.name) + "(" + strconv.Itoa(c.id) + ")\n")
			continue
		}
		c.node.draw(b, append(lines, level{len([]rune(label)), more}), ascii)
	}
}

type level struct {
	width int
	more  bool
}

// glyphs are the lines between names.
type glyphs struct{ only, first, next, last, below string }

var (
	glyphsUTF8  = glyphs{"───", "─┬─", " ├─", " └─", " │ "}
	glyphsASCII = glyphs{"---", "-+-", " |-", " `-", " | "}
)
