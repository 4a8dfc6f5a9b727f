// Package trace prints system calls and signals as strace does.
package trace

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// Memory reads the memory of the task that makes a call.
type Memory interface {
	Read(addr uint64, p []byte) linux.Errno
}

// Printer writes the trace of a machine's tasks, a line at a time. It is not
// safe for concurrent use: the kernel lock protects it.
type Printer struct {
	w      io.Writer
	filter Filter
	tasks  map[int]*call
	first  int   // the first task seen
	many   bool  // there is more than one task, so lines name theirs
	open   *call // the call whose line is not finished
	failed bool
}

// call is a system call that has begun.
type call struct {
	tid, nr int
	args    [6]uint64
	text    string // what was printed at entry
	hidden  bool   // the filter leaves it out
	cut     bool   // "<unfinished ...>" has been printed
}

// NewPrinter makes a printer of the calls that filter selects.
func NewPrinter(w io.Writer, filter Filter) *Printer {
	return &Printer{w: w, filter: filter, tasks: make(map[int]*call)}
}

// write writes one line; after an error nothing more is written.
func (p *Printer) write(line string) {
	if p.failed {
		return
	}
	_, err := io.WriteString(p.w, line)
	p.failed = err != nil
}

// prefix names the task, once there are several.
func (p *Printer) prefix(tid int) string {
	if p.first == 0 {
		p.first = tid
	}
	if tid != p.first {
		p.many = true
	}
	if !p.many {
		return ""
	}
	return fmt.Sprintf("[pid %5d] ", tid)
}

// interrupt finishes the open line because another has to come.
func (p *Printer) interrupt() {
	if p.open == nil {
		return
	}
	p.write(p.open.text + " <unfinished ...>\n")
	p.open.cut = true
	p.open = nil
}

// Enter notes that a task begins a call.
func (p *Printer) Enter(tid, nr int, args [6]uint64, mem Memory) {
	c := &call{tid: tid, nr: nr, args: args, hidden: !p.filter.Match(nr)}
	p.tasks[tid] = c
	if c.hidden {
		return
	}
	p.interrupt()
	c.text = p.prefix(tid) + linux.SyscallName(nr) + "(" + formatArgs(nr, &args, mem)
	p.open = c
}

// Exit notes that a call returns; a negative ret is an errno.
func (p *Printer) Exit(tid int, ret int64, mem Memory) {
	c := p.tasks[tid]
	delete(p.tasks, tid)
	if c == nil || c.hidden {
		return
	}
	var text string
	switch {
	case c.cut:
		p.interrupt()
		text = p.prefix(tid) + "<... " + linux.SyscallName(c.nr) + " resumed>" + formatOut(c.nr, &c.args, mem, ret)
	default:
		p.open = nil
		text = c.text + formatOut(c.nr, &c.args, mem, ret)
	}
	text += ")"
	const column = 39
	if n := len(text); n < column {
		text += strings.Repeat(" ", column-n)
	}
	p.write(text + " = " + formatResult(c.nr, ret) + "\n")
}

// Signal notes that a signal is delivered.
func (p *Printer) Signal(tid int, info *linux.Siginfo) {
	p.interrupt()
	p.write(p.prefix(tid) + "--- " + info.Signo.String() + " " + formatSiginfo(info) + " ---\n")
}

// Exited notes the end of a task.
func (p *Printer) Exited(tid, code int) { p.ended(tid, fmt.Sprintf("+++ exited with %d +++\n", code)) }

// Killed notes that a signal ended a task.
func (p *Printer) Killed(tid int, sig linux.Signal, core bool) {
	dumped := ""
	if core {
		dumped = " (core dumped)"
	}
	p.ended(tid, fmt.Sprintf("+++ killed by %v%s +++\n", sig, dumped))
}

// ended prints the last line of a task; a call that does not return gets "?".
func (p *Printer) ended(tid int, line string) {
	if c := p.tasks[tid]; c != nil && !c.hidden {
		if p.open == c {
			p.open = nil
			text := c.text + ")"
			if n := len(text); n < 39 {
				text += strings.Repeat(" ", 39-n)
			}
			p.write(text + " = ?\n")
		} else {
			p.interrupt()
			p.write(p.prefix(tid) + "<... " + linux.SyscallName(c.nr) + " resumed>) = ?\n")
		}
	}
	delete(p.tasks, tid)
	p.interrupt()
	p.write(p.prefix(tid) + line)
}

// formatResult is what stands behind the equals sign.
func formatResult(nr int, ret int64) string {
	if ret < 0 && ret > -4096 {
		e := linux.Errno(-ret)
		switch e {
		case linux.ERESTARTSYS:
			return "? ERESTARTSYS (To be restarted if SA_RESTART is set)"
		case linux.ERESTARTNOINTR:
			return "? ERESTARTNOINTR (To be restarted)"
		case linux.ERESTARTNOHAND:
			return "? ERESTARTNOHAND (To be restarted if no handler)"
		case linux.ERESTART_RESTARTBLOCK:
			return "? ERESTART_RESTARTBLOCK (Interrupted by signal)"
		}
		return fmt.Sprintf("-1 %v (%s)", e, e.Message())
	}
	switch nr {
	case linux.SYS_mmap, linux.SYS_brk, linux.SYS_mremap, linux.SYS_shmat:
		return fmt.Sprintf("%#x", uint64(ret))
	case linux.SYS_umask:
		return fmt.Sprintf("%#o", ret)
	}
	return fmt.Sprint(ret)
}

// maxString is how much of a string is shown.
const maxString = 32

// quote escapes bytes as C does.
func quote(b []byte, more bool) string {
	var s strings.Builder
	s.WriteByte('"')
	for i, c := range b {
		switch c {
		case '\n':
			s.WriteString(`\n`)
		case '\t':
			s.WriteString(`\t`)
		case '\r':
			s.WriteString(`\r`)
		case '\v':
			s.WriteString(`\v`)
		case '\f':
			s.WriteString(`\f`)
		case '"', '\\':
			s.WriteByte('\\')
			s.WriteByte(c)
		default:
			if c >= ' ' && c < 0x7f {
				s.WriteByte(c)
			} else if i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9' {
				fmt.Fprintf(&s, `\%03o`, c)
			} else {
				fmt.Fprintf(&s, `\%o`, c)
			}
		}
	}
	s.WriteByte('"')
	if more {
		s.WriteString("...")
	}
	return s.String()
}

// bytesAt shows n bytes of memory.
func bytesAt(mem Memory, addr, n uint64) string {
	if addr == 0 {
		return "NULL"
	}
	b := make([]byte, min(n, maxString))
	if mem.Read(addr, b) != 0 {
		return fmt.Sprintf("%#x", addr)
	}
	return quote(b, n > maxString)
}

// stringAt shows a NUL-terminated string; path names are shown whole.
func stringAt(mem Memory, addr uint64, limit int) string {
	if addr == 0 {
		return "NULL"
	}
	var b []byte
	for len(b) <= limit {
		var c [64]byte
		n := 64 - int((addr+uint64(len(b)))%64)
		if mem.Read(addr+uint64(len(b)), c[:n]) != 0 {
			return fmt.Sprintf("%#x", addr)
		}
		if i := bytes.IndexByte(c[:n], 0); i >= 0 {
			b = append(b, c[:i]...)
			return quote(b[:min(len(b), limit)], len(b) > limit)
		}
		b = append(b, c[:n]...)
	}
	return quote(b[:limit], true)
}
