package trace

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// decoder formats the arguments of one call: some when it begins, those that
// the kernel stores something in when it returns.
type decoder struct {
	b      []byte
	nr     int
	args   [6]uint64
	task   Task
	limit  int  // how many bytes of a string and elements of an array are shown
	paths  bool // descriptors are shown with what they are open on
	leave  bool // the call returns, with ret
	ret    int64
	note   string // shown in parentheses behind the result
	hex    bool   // the result is hexadecimal
	saved  uint64 // what a kind has kept from entry for exit
	saved2 uint64
	kept   string // text that is printed at exit
	prev   string // the call that restart_syscall goes on with
}

func (d *decoder) str(s string)              { d.b = append(d.b, s...) }
func (d *decoder) f(format string, a ...any) { d.b = fmt.Appendf(d.b, format, a...) }
func (d *decoder) int(v int64)               { d.b = strconv.AppendInt(d.b, v, 10) }
func (d *decoder) uint(v uint64)             { d.b = strconv.AppendUint(d.b, v, 10) }

// next separates two arguments or members.
func (d *decoder) next() { d.str(", ") }

// hexadecimal writes a number as C's %#x does: 0 is just 0.
func (d *decoder) x(v uint64) {
	if v == 0 {
		d.str("0")
		return
	}
	d.str("0x")
	d.b = strconv.AppendUint(d.b, v, 16)
}

// octal writes a mode: at least three digits.
func (d *decoder) octal(v uint64) {
	if v == 0 {
		d.str("000")
		return
	}
	d.f("%#03o", v)
}

// ptr writes an address.
func (d *decoder) ptr(v uint64) {
	if v == 0 {
		d.str("NULL")
		return
	}
	d.x(v)
}

// failed reports whether the call ends with an error.
func (d *decoder) failed() bool { return d.leave && d.ret < 0 && d.ret > -4096 }

// mem reads n bytes of the task's memory; if it cannot, or the call has failed,
// it writes the address in their place and gives nil.
func (d *decoder) mem(addr uint64, n int) []byte {
	if d.failed() {
		d.ptr(addr)
		return nil
	}
	b := d.peek(addr, n)
	if b == nil {
		d.ptr(addr)
	}
	return b
}

// peek is mem that writes nothing.
func (d *decoder) peek(addr uint64, n int) []byte {
	if addr == 0 {
		return nil
	}
	b := make([]byte, n)
	if d.task.Read(addr, b) != 0 {
		return nil
	}
	return b
}

func (d *decoder) peek32(addr uint64) (uint32, bool) {
	b := d.peek(addr, 4)
	if b == nil {
		return 0, false
	}
	return binary.LittleEndian.Uint32(b), true
}

func u16(b []byte, off int) uint64 { return uint64(binary.LittleEndian.Uint16(b[off:])) }
func u32(b []byte, off int) uint64 { return uint64(binary.LittleEndian.Uint32(b[off:])) }
func u64(b []byte, off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
func i32(b []byte, off int) int64  { return int64(int32(binary.LittleEndian.Uint32(b[off:]))) }

// symbol is a number with a name.
type symbol struct {
	value uint64
	name  string
}

// lookup finds the name of a value.
func lookup(table []symbol, v uint64) string {
	for _, s := range table {
		if s.value == v {
			return s.name
		}
	}
	return ""
}

// value writes one of a table's names; what stands in a comment behind a number
// without one.
func (d *decoder) value(table []symbol, v uint64, what string) {
	if s := lookup(table, v); s != "" {
		d.str(s)
		return
	}
	d.x(v)
	if what != "" {
		d.str(" /* " + what + " */")
	}
}

// flagNames gives the names of the bits of v in the table's order, and the
// bits without a name.
func flagNames(table []symbol, v uint64) (names []string, rest uint64) {
	if v == 0 {
		return nil, 0
	}
	for _, s := range table {
		if s.value != 0 && v&s.value == s.value {
			names, v = append(names, s.name), v&^s.value
		}
	}
	return names, v
}

// flags writes a set of flags.
func (d *decoder) flags(table []symbol, v uint64, what string) {
	d.str(flagString(table, v, what))
}

// flagString is flags as a string; nothing at all is 0, or "" where nothing
// stands for what is not known.
func flagString(table []symbol, v uint64, what string) string {
	if s := lookup(table, v); s != "" {
		return s
	}
	names, rest := flagNames(table, v)
	switch {
	case len(names) == 0 && rest == 0 && what == "":
		return ""
	case len(names) == 0 && rest == 0:
		return "0"
	case len(names) == 0 && what != "":
		return fmt.Sprintf("%#x /* %s */", rest, what)
	case rest != 0:
		names = append(names, fmt.Sprintf("%#x", rest))
	}
	return strings.Join(names, "|")
}

// quote writes bytes as C does, at most the limit.
func (d *decoder) quote(b []byte, more bool) {
	if len(b) > d.limit {
		b, more = b[:d.limit], true
	}
	d.b = appendQuoted(d.b, b)
	if more {
		d.str("...")
	}
}

// appendQuoted escapes bytes as C does.
func appendQuoted(s, b []byte) []byte {
	s = append(s, '"')
	for i, c := range b {
		switch c {
		case '\n':
			s = append(s, `\n`...)
		case '\t':
			s = append(s, `\t`...)
		case '\r':
			s = append(s, `\r`...)
		case '\v':
			s = append(s, `\v`...)
		case '\f':
			s = append(s, `\f`...)
		case '"', '\\':
			s = append(s, '\\', c)
		default:
			switch {
			case c >= ' ' && c < 0x7f:
				s = append(s, c)
			case i+1 < len(b) && b[i+1] >= '0' && b[i+1] <= '9':
				s = fmt.Appendf(s, `\%03o`, c)
			default:
				s = fmt.Appendf(s, `\%o`, c)
			}
		}
	}
	return append(s, '"')
}

// data writes n bytes of memory as a string.
func (d *decoder) data(addr, n uint64) {
	if addr == 0 {
		d.str("NULL")
		return
	}
	b := d.peek(addr, int(min(n, uint64(d.limit)+1)))
	if b == nil {
		d.ptr(addr)
		return
	}
	d.quote(b, false)
}

// cstring reads a string of at most limit bytes; more says that it goes on.
func (d *decoder) cstring(addr uint64, limit int) (s []byte, more, ok bool) {
	if addr == 0 {
		return nil, false, false
	}
	for len(s) <= limit {
		var c [64]byte
		n := 64 - int((addr+uint64(len(s)))%64) // reads stay inside a page
		if d.task.Read(addr+uint64(len(s)), c[:n]) != 0 {
			return nil, false, false
		}
		if i := bytes.IndexByte(c[:n], 0); i >= 0 {
			s = append(s, c[:i]...)
			return s[:min(len(s), limit)], len(s) > limit, true
		}
		s = append(s, c[:n]...)
	}
	return s[:limit], true, true
}

// cstr writes a string, cut at the limit.
func (d *decoder) cstr(addr uint64) {
	if s, more, ok := d.cstring(addr, d.limit); ok {
		d.quote(s, more)
	} else {
		d.ptr(addr)
	}
}

// path writes a path name, which is never cut short of PATH_MAX.
func (d *decoder) path(addr uint64) {
	s, more, ok := d.cstring(addr, linux.PATH_MAX-1)
	if !ok {
		d.ptr(addr)
		return
	}
	d.b = appendQuoted(d.b, s)
	if more {
		d.str("...")
	}
}

// fd writes a descriptor.
func (d *decoder) fd(fd int32) {
	d.int(int64(fd))
	if d.paths && fd >= 0 {
		if p := d.task.FDPath(int(fd)); p != "" {
			d.str("<" + p + ">")
		}
	}
}

// array writes n elements of size bytes at addr.
func (d *decoder) array(addr, n uint64, size int, elem func(b []byte)) {
	if n == 0 && addr != 0 {
		d.str("[]")
		return
	}
	if d.failed() || d.peek(addr, size) == nil {
		d.ptr(addr)
		return
	}
	d.str("[")
	for i := range n {
		if i > 0 {
			d.next()
		}
		if i == uint64(d.limit) {
			d.str("...")
			break
		}
		at := addr + i*uint64(size)
		b := d.peek(at, size)
		if b == nil {
			d.f("... /* %#x */", at)
			break
		}
		elem(b)
	}
	d.str("]")
}

// indirect writes a number that an argument points to.
func (d *decoder) indirect(addr uint64, size int, write func(b []byte)) {
	if b := d.mem(addr, size); b != nil {
		d.str("[")
		write(b)
		d.str("]")
	}
}

func (d *decoder) signal(s uint64) { d.str(linux.Signal(int32(s)).String()) }

// id writes a user or group number, of which -1 means none.
func (d *decoder) id(v uint64) {
	if uint32(v) == ^uint32(0) {
		d.str("-1")
		return
	}
	d.uint(uint64(uint32(v)))
}

// sigset formats a signal set: the names without SIG, or with ~ those missing.
func sigset(v uint64) string {
	set, not := linux.Sigset(v), ""
	n := 0
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) {
			n++
		}
	}
	if n >= linux.NSIG*2/3 {
		set, not = ^set, "~"
	}
	var names []string
	for s := linux.Signal(1); s <= linux.NSIG; s++ {
		if set.Has(s) {
			names = append(names, strings.TrimPrefix(s.String(), "SIG"))
		}
	}
	return not + "[" + strings.Join(names, " ") + "]"
}
