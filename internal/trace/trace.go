// Package trace prints system calls and signals as strace does.
//
// What a call's arguments are stands in the kernel's system call table, a word
// for each (see kinds); the tables of names are generated from the system's
// headers by mksymbols.
package trace

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tinevm/tine/internal/linux"
)

//go:generate go run ./mksymbols

// Task is a traced task as the printer sees it.
type Task interface {
	// Read reads the task's memory.
	Read(addr uint64, p []byte) linux.Errno
	// FDPath tells what a descriptor is open on, as the link in /proc/PID/fd
	// does; "" if it is not open.
	FDPath(fd int) string
	// Netlink gives the protocol of a descriptor that is a netlink socket.
	Netlink(fd int) (protocol int, ok bool)
	// Cwd is the path of the task's working directory.
	Cwd() string
	// SP is the stack pointer.
	SP() uint64
	// Now gives CLOCK_MONOTONIC and CLOCK_REALTIME in nanoseconds.
	Now() (monotonic, realtime int64)
}

// Options say what is printed and how.
type Options struct {
	Filter   Filter    // the calls
	Signals  SignalSet // the signals
	Status   Status    // how the calls end
	Strings  int       // bytes of a string that are shown; 0 is 32, < 0 none
	Paths    bool      // descriptors with what they are open on (-y)
	PIDs     bool      // every line begins with the task's number (-f -o)
	Stamp    Stamp     // every line begins with a time (-t, -r)
	Duration bool      // the time a call took stands behind it (-T)
	Column   int       // where results are aligned; 0 is 40
	Summary  bool      // count the calls (-C)
	Quiet    bool      // print nothing but the summary (-c)
}

// Stamp is how lines begin.
type Stamp int

// The stamps of strace: none, -t, -tt, -ttt and -r.
const (
	NoStamp Stamp = iota
	Clock
	ClockMicros
	UnixMicros
	Relative
)

// Status is how calls end that are printed.
type Status int

const (
	AnyStatus  Status = iota
	Successful        // -z
	Failed            // -Z
)

// Printer writes the trace of a machine's tasks, a line at a time. It is not
// safe for concurrent use: the kernel lock protects it.
type Printer struct {
	w       io.Writer
	opt     Options
	calls   [][]kind // compiled words, by number
	unknown []kind   // of numbers that are no call
	tasks   map[int]*task
	open    *task // whose line is not finished
	last    int64 // when the last line began, for Relative
	summary summary
	failed  bool
}

// task is a traced task.
type task struct {
	tid    int
	inCall bool
	d      decoder
	list   []kind
	from   int    // the first argument that has not been printed
	line   string // what stands on the line so far
	hidden bool   // the filter leaves the call out
	cut    bool   // "<unfinished ...>" has been printed
	start  int64  // when the call began
	prev   string // the last call that can be restarted
}

// NewPrinter makes a printer. words gives the kinds of the arguments of calls 0
// to n-1.
func NewPrinter(w io.Writer, opt Options, n int, words func(nr int) string) *Printer {
	if opt.Strings == 0 {
		opt.Strings = 32
	}
	opt.Strings = max(opt.Strings, 0)
	if opt.Column == 0 {
		opt.Column = 40
	}
	p := &Printer{w: w, opt: opt, calls: make([][]kind, n), tasks: make(map[int]*task)}
	all := kinds()
	for nr := range p.calls {
		var err error
		if p.calls[nr], err = compile(all, words(nr)); err != nil {
			panic(fmt.Sprintf("trace: %s: %v", linux.SyscallName(nr), err))
		}
	}
	p.unknown, _ = compile(all, "hex hex hex hex hex hex")
	return p
}

// list gives the kinds of a call's arguments. Of those of a number that is no
// call nothing is known.
func (p *Printer) list(nr int) []kind {
	if nr >= 0 && nr < len(p.calls) && linux.IsSyscall(nr) {
		return p.calls[nr]
	}
	return p.unknown
}

// write writes one line; after an error nothing more is written.
func (p *Printer) write(line string) {
	if p.failed || p.opt.Quiet {
		return
	}
	_, err := io.WriteString(p.w, line)
	p.failed = err != nil
}

// task finds a task; one that has not been seen before is new.
func (p *Printer) task(tid int) *task {
	t := p.tasks[tid]
	if t == nil {
		t = &task{tid: tid}
		p.tasks[tid] = t
	}
	return t
}

// prefix begins a line: the task, if there are several, and the time.
func (p *Printer) prefix(t *task, of Task) string {
	s := ""
	switch {
	case p.opt.PIDs:
		s = fmt.Sprintf("%-5d ", t.tid)
	case len(p.tasks) > 1:
		s = fmt.Sprintf("[pid %5d] ", t.tid)
	}
	if p.opt.Stamp == NoStamp {
		return s
	}
	mono, real := of.Now()
	at := time.Unix(0, real).UTC()
	switch p.opt.Stamp {
	case Clock:
		s += at.Format("15:04:05 ")
	case ClockMicros:
		s += at.Format("15:04:05.000000 ")
	case UnixMicros:
		s += fmt.Sprintf("%d.%06d ", real/1e9, real/1e3%1e6)
	case Relative:
		if p.last == 0 {
			p.last = mono
		}
		s += fmt.Sprintf("%6d.%06d ", (mono-p.last)/1e9, (mono-p.last)/1e3%1e6)
		p.last = mono
	}
	return s
}

// interrupt finishes the open line because another has to come.
func (p *Printer) interrupt() {
	if p.open == nil {
		return
	}
	p.write(p.open.line + " <unfinished ...>\n")
	p.open.cut = true
	p.open = nil
}

// Created notes a new task.
func (p *Printer) Created(tid int) { p.task(tid) }

// Started notes that a task from outside begins with a program: what the first
// execve would look like. envp is the address of the environment.
func (p *Printer) Started(tid int, path string, argv []string, envp uint64, vars int, of Task) {
	t := p.task(tid)
	if !p.opt.Filter.Match(linux.SYS_execve) || p.opt.Status == Failed {
		return
	}
	p.interrupt()
	d := decoder{limit: p.opt.Strings}
	d.b = appendQuoted(append(d.b, "execve("...), []byte(path))
	d.str(", [")
	for i, a := range argv {
		if i > 0 {
			d.next()
		}
		if i == d.limit {
			d.str("...")
			break
		}
		d.quote([]byte(a), false)
	}
	d.str("], " + envComment(envp, vars) + ")")
	if p.opt.Summary {
		p.summary.count(linux.SYS_execve, 0, false)
	}
	p.write(p.align(p.prefix(t, of)+string(d.b)) + " = 0\n")
}

// Enter notes that a task begins a call.
func (p *Printer) Enter(tid, nr int, args *[6]uint64, of Task) {
	t := p.task(tid)
	t.inCall, t.cut = true, false
	t.hidden = !p.opt.Filter.Match(nr)
	if p.opt.Duration || p.opt.Summary {
		t.start, _ = of.Now()
	}
	if t.hidden {
		return
	}
	if p.opt.Quiet {
		t.d.nr = nr
		return
	}
	t.list = p.list(nr)
	t.d = decoder{nr: nr, args: *args, task: of, limit: p.opt.Strings, paths: p.opt.Paths, prev: t.prev}
	if t.prev == "" {
		t.d.prev = "system call"
	}
	t.d.str(linux.SyscallName(nr) + "(")
	t.from = t.d.begin(t.list)
	if p.opt.Status != AnyStatus {
		t.line = string(t.d.b) // printed at the end, if at all
		return
	}
	p.interrupt()
	t.line = p.prefix(t, of) + string(t.d.b)
	p.open = t
}

// Exit notes that a call returns; a negative ret is an errno.
func (p *Printer) Exit(tid int, ret int64, of Task) {
	t := p.tasks[tid]
	if t == nil || !t.inCall {
		return
	}
	t.inCall = false
	if t.hidden {
		return
	}
	d := &t.d
	if p.opt.Summary {
		mono, _ := of.Now()
		p.summary.count(d.nr, mono-t.start, ret < 0 && ret > -4096)
	}
	if p.opt.Quiet {
		return
	}
	d.b, d.leave, d.ret, d.task = d.b[:0], true, ret, of
	d.end(t.list, t.from)
	if ret < 0 && linux.Errno(-ret) == linux.ERESTART_RESTARTBLOCK {
		t.prev = linux.SyscallName(d.nr)
	}
	text, ok := p.resume(t, of)
	if !ok {
		return
	}
	text = p.align(text+string(d.b)+")") + " = " + d.result()
	if p.opt.Duration {
		mono, _ := of.Now()
		text += fmt.Sprintf(" <%d.%06d>", (mono-t.start)/1e9, (mono-t.start)/1e3%1e6)
	}
	p.write(text + "\n")
}

// resume gives the beginning of the line that the call's end stands on; ok is
// false if it is not to be printed.
func (p *Printer) resume(t *task, of Task) (text string, ok bool) {
	switch {
	case p.opt.Status != AnyStatus:
		if t.d.failed() != (p.opt.Status == Failed) {
			return "", false
		}
		p.interrupt()
		return p.prefix(t, of) + t.line, true
	case t.cut:
		p.interrupt()
		return p.prefix(t, of) + "<... " + linux.SyscallName(t.d.nr) + " resumed>", true
	}
	p.open = nil
	return t.line, true
}

// align fills up a line to where its result begins.
func (p *Printer) align(line string) string {
	if n := len(line); n < p.opt.Column-1 {
		line += strings.Repeat(" ", p.opt.Column-1-n)
	}
	return line
}

// Signal notes that a signal is delivered.
func (p *Printer) Signal(tid int, info *linux.Siginfo, of Task) {
	if !p.opt.Signals.Has(info.Signo) {
		return
	}
	t := p.task(tid)
	p.interrupt()
	var b [linux.SizeofSiginfo]byte
	info.Encode(b[:])
	d := decoder{}
	d.siginfo(b[:])
	p.write(p.prefix(t, of) + "--- " + info.Signo.String() + " " + string(d.b) + " ---\n")
}

// Stopped notes that a signal stops a task.
func (p *Printer) Stopped(tid int, sig linux.Signal, of Task) {
	if !p.opt.Signals.Has(sig) {
		return
	}
	t := p.task(tid)
	p.interrupt()
	p.write(p.prefix(t, of) + "--- stopped by " + sig.String() + " ---\n")
}

// Exited notes the end of a task.
func (p *Printer) Exited(tid, code int, of Task) {
	p.ended(tid, fmt.Sprintf("+++ exited with %d +++\n", code), of)
}

// Killed notes that a signal ended a task.
func (p *Printer) Killed(tid int, sig linux.Signal, core bool, of Task) {
	dumped := ""
	if core {
		dumped = "(core dumped) "
	}
	p.ended(tid, fmt.Sprintf("+++ killed by %v %s+++\n", sig, dumped), of)
}

// Superseded notes that task by, which execs, takes over the number of its
// process from the first thread.
func (p *Printer) Superseded(tid, by int, of Task) {
	if p.tasks[tid] != nil {
		p.ended(tid, fmt.Sprintf("+++ superseded by execve in pid %d +++\n", by), of)
	}
	if t := p.tasks[by]; t != nil {
		delete(p.tasks, by)
		t.tid = tid
		p.tasks[tid] = t
	}
}

// ended prints the last line of a task; a call that does not return gets "?".
func (p *Printer) ended(tid int, line string, of Task) {
	t := p.task(tid)
	if t.inCall && !t.hidden && !p.opt.Quiet && p.opt.Status == AnyStatus {
		text, _ := p.resume(t, of)
		if t.from < len(t.list) {
			text += " <unfinished ...>"
		}
		p.write(p.align(text+")") + " = ?\n")
	}
	p.interrupt()
	p.write(p.prefix(t, of) + line)
	delete(p.tasks, tid)
}

// result is what stands behind the equals sign.
func (d *decoder) result() string {
	if d.ret < 0 && d.ret > -4096 {
		e := linux.Errno(-d.ret)
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
	s := fmt.Sprint(d.ret)
	switch d.nr {
	case linux.SYS_mmap, linux.SYS_brk, linux.SYS_mremap, linux.SYS_shmat:
		s = fmt.Sprintf("%#x", uint64(d.ret))
	case linux.SYS_umask:
		s = "000"
		if d.ret != 0 {
			s = fmt.Sprintf("%#03o", d.ret)
		}
	}
	if d.hex {
		s = "0"
		if d.ret != 0 {
			s = fmt.Sprintf("%#x", uint64(d.ret))
		}
	}
	if d.paths && returnsFD(d.nr, &d.args) {
		if path := d.task.FDPath(int(d.ret)); path != "" {
			s += "<" + path + ">"
		}
	}
	if d.note != "" {
		s += " (" + d.note + ")"
	}
	return s
}

// returnsFD reports whether a call gives a descriptor.
func returnsFD(nr int, args *[6]uint64) bool {
	switch nr {
	case linux.SYS_open, linux.SYS_openat, linux.SYS_openat2, linux.SYS_creat, linux.SYS_dup, linux.SYS_dup2, linux.SYS_dup3,
		linux.SYS_socket, linux.SYS_accept, linux.SYS_accept4, linux.SYS_epoll_create, linux.SYS_epoll_create1, linux.SYS_eventfd,
		linux.SYS_eventfd2, linux.SYS_signalfd, linux.SYS_signalfd4, linux.SYS_timerfd_create, linux.SYS_inotify_init,
		linux.SYS_inotify_init1, linux.SYS_memfd_create, linux.SYS_pidfd_open, linux.SYS_pidfd_getfd:
		return true
	case linux.SYS_fcntl:
		return args[1] == linux.F_DUPFD || args[1] == linux.F_DUPFD_CLOEXEC
	}
	return false
}
