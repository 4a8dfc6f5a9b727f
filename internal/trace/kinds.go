package trace

import (
	"fmt"
	"strings"
)

// kind is how an argument, or the rest of the arguments, is printed.
type kind struct {
	// print writes argument i. What writes nothing is not there.
	print func(d *decoder, i int)
	// late kinds are printed when the call returns.
	late bool
	// lateIf decides it by the arguments.
	lateIf func(d *decoder) bool
	// glued kinds write more of the argument before them.
	glued bool
	arg   int // its index, set by compile
	// enter, if not nil, runs when the call begins and may keep what a late
	// kind needs.
	enter func(d *decoder, i int)
	// exit, if not nil, runs when the call returns, for the note.
	exit func(d *decoder)
}

// now is a kind that is printed when the call begins.
func now(print func(d *decoder, a uint64)) kind {
	return kind{print: func(d *decoder, i int) { print(d, d.args[i]) }}
}

// later is a kind of what the kernel stores: after an error it is just an
// address.
func later(print func(d *decoder, a uint64)) kind {
	return kind{late: true, print: func(d *decoder, i int) {
		if d.failed() {
			d.ptr(d.args[i])
		} else {
			print(d, d.args[i])
		}
	}}
}

// one is a kind for one value of a table, set for its flags.
func one(table []symbol, what string) kind {
	return now(func(d *decoder, a uint64) { d.value(table, uint64(uint32(a)), what) })
}

func set(table []symbol, what string) kind {
	return now(func(d *decoder, a uint64) { d.flags(table, uint64(uint32(a)), what) })
}

// set64 is set for arguments of 64 bits.
func set64(table []symbol, what string) kind {
	return now(func(d *decoder, a uint64) { d.flags(table, a, what) })
}

// kinds gives all kinds by their words in the system call table. One that is
// printed late has > behind it there, for the reader.
func kinds() map[string]kind {
	all := map[string]kind{
		"int":    now(func(d *decoder, a uint64) { d.int(int64(int32(a))) }),
		"uint":   now(func(d *decoder, a uint64) { d.uint(uint64(uint32(a))) }),
		"long":   now(func(d *decoder, a uint64) { d.int(int64(a)) }),
		"ulong":  now(func(d *decoder, a uint64) { d.uint(a) }),
		"size":   now(func(d *decoder, a uint64) { d.uint(a) }),
		"off":    now(func(d *decoder, a uint64) { d.int(int64(a)) }),
		"hex":    now(func(d *decoder, a uint64) { d.x(a) }),
		"mode":   now(func(d *decoder, a uint64) { d.octal(a & 0xffff) }),
		"ptr":    now((*decoder).ptr),
		"pid":    now(func(d *decoder, a uint64) { d.int(int64(int32(a))) }),
		"id":     now((*decoder).id),
		"fd":     now(func(d *decoder, a uint64) { d.fd(int32(a)) }),
		"path":   now((*decoder).path),
		"str":    now((*decoder).cstr),
		"signal": now((*decoder).signal),
		"data":   {print: func(d *decoder, i int) { d.data(d.args[i], d.args[i+1]) }},
		"buf>":   later(func(d *decoder, a uint64) { d.data(a, uint64(d.ret)) }),
		"cstr>":  later((*decoder).path),
		"fdpair>": later(func(d *decoder, a uint64) {
			d.array(a, 2, 4, func(b []byte) { d.fd(int32(i32(b, 0))) })
		}),
		"uidptr>":   later(func(d *decoder, a uint64) { d.indirect(a, 4, func(b []byte) { d.id(u32(b, 0)) }) }),
		"uintptr>":  later(func(d *decoder, a uint64) { d.indirect(a, 4, func(b []byte) { d.uint(u32(b, 0)) }) }),
		"ulongptr>": later(func(d *decoder, a uint64) { d.indirect(a, 8, func(b []byte) { d.uint(u64(b, 0)) }) }),
		"ulongptr":  now(func(d *decoder, a uint64) { d.indirect(a, 8, func(b []byte) { d.uint(u64(b, 0)) }) }),
		"ptrptr>":   later(func(d *decoder, a uint64) { d.indirect(a, 8, func(b []byte) { d.ptr(u64(b, 0)) }) }),
	}
	for _, more := range []map[string]kind{fileKinds(), statKinds(), processKinds(), schedKinds(), signalKinds(), timeKinds(), memoryKinds(), netKinds(), pollKinds(), ipcKinds(), systemKinds()} {
		for word, k := range more {
			if _, ok := all[word]; ok {
				panic("trace: two kinds called " + word)
			}
			all[word] = k
		}
	}
	return all
}

// compile turns the words of the table into kinds.
func compile(all map[string]kind, words string) ([]kind, error) {
	var list []kind
	arg := -1
	for _, w := range strings.Fields(words) {
		k, ok := all[w]
		if !ok {
			return nil, fmt.Errorf("there is no kind %q of argument", w)
		}
		if strings.HasSuffix(w, ">") && !k.late {
			return nil, fmt.Errorf("kind %q is not printed late", w)
		}
		if !k.glued {
			arg++
		}
		k.arg = arg
		list = append(list, k)
	}
	return list, nil
}

// isLate reports whether a kind has to wait until the call returns.
func (k *kind) isLate(d *decoder) bool { return k.late || k.lateIf != nil && k.lateIf(d) }

// begin writes the arguments up to the first that is known only at the end: an
// exec leaves nothing of the caller's memory. It gives the index of that one.
func (d *decoder) begin(list []kind) int {
	for i := range list {
		if k := &list[i]; k.enter != nil {
			k.enter(d, k.arg)
		}
	}
	for i := range list {
		if list[i].isLate(d) {
			if i > 0 && !list[i].glued {
				d.next()
			}
			return i
		}
		d.arg(list, i)
	}
	return len(list)
}

// end writes the arguments from the one that begin has stopped at.
func (d *decoder) end(list []kind, from int) {
	for i := from; i < len(list); i++ {
		if i == from {
			list[i].print(d, list[i].arg)
		} else {
			d.arg(list, i)
		}
	}
	for i := range list {
		if list[i].exit != nil {
			list[i].exit(d)
		}
	}
}

// arg writes one argument with what separates it from those before it.
func (d *decoder) arg(list []kind, i int) {
	mark := len(d.b)
	if i > 0 && !list[i].glued {
		d.next()
	}
	start := len(d.b)
	list[i].print(d, list[i].arg)
	if len(d.b) == start {
		d.b = d.b[:mark]
	}
}
