package tine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"syscall"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// Cmd is a program to run in a machine, as exec.Cmd is one to run on the host.
// A Cmd cannot be used again after Start, Run or Output.
type Cmd struct {
	// Path is the program. Without a slash it is looked up in the PATH of Env,
	// inside the machine.
	Path string
	// Args are the arguments, the name by which the program is called first.
	// If empty, {Path} is used.
	Args []string
	// Env is the environment, as "key=value"; if nil the machine's default is
	// used (PATH, HOME, TERM, USER). If a key occurs twice the last one counts.
	Env []string
	// Dir is the working directory; if empty, the machine's (see Config.Dir).
	Dir string

	// Stdin is where the program's standard input comes from; nil is
	// /dev/null. It is read only when the program wants input.
	Stdin io.Reader
	// Stdout and Stderr are where standard output and error go; nil is
	// /dev/null. If they are the same writer, at most one goroutine at a time
	// calls it.
	Stdout io.Writer
	Stderr io.Writer

	// Terminal, if not nil, is the program's controlling terminal, and takes the
	// place of those of Stdin, Stdout and Stderr that are nil.
	Terminal *Terminal

	// User is who runs the program; nil is the machine's user.
	User *User
	// Limits are resource limits that differ from the machine's, by the number
	// of RLIMIT_.
	Limits map[int]Limit

	// PID is the process id inside the machine, once started.
	PID int

	ctx     context.Context
	m       *Machine
	inputs  []*inputPort
	outputs []*outputPort
	exited  chan struct{}
	status  WaitStatus
	waited  bool
	stop    func() bool
	mu      sync.Mutex
}

// Limit is a resource limit; ^uint64(0) means none.
type Limit struct{ Soft, Hard uint64 }

// User is an identity inside the machine.
type User struct {
	UID, GID uint32
	Groups   []uint32
}

// Command makes a command. When ctx is done the program is killed.
func (m *Machine) Command(ctx context.Context, name string, arg ...string) *Cmd {
	return &Cmd{m: m, ctx: ctx, Path: name, Args: append([]string{name}, arg...)}
}

// Run starts the program and waits for it. The error is nil if it exits with
// 0, an *ExitError if it ends otherwise, a *StartError if it cannot be started.
func (c *Cmd) Run() error {
	if err := c.Start(); err != nil {
		return err
	}
	return c.Wait()
}

// Output runs the program and returns its standard output. If Stderr is nil, an
// ExitError has the end of the standard error output.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("tine: Stdout already set")
	}
	var out, errOut bytes.Buffer
	c.Stdout = &out
	collect := c.Stderr == nil
	if collect {
		c.Stderr = &errOut
	}
	err := c.Run()
	var ee *ExitError
	if collect && errors.As(err, &ee) {
		const keep = 64 << 10
		ee.Stderr = errOut.Bytes()[max(0, errOut.Len()-keep):]
	}
	return out.Bytes(), err
}

// CombinedOutput runs the program and returns its standard output and error.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	if c.Stdout != nil || c.Stderr != nil {
		return nil, errors.New("tine: Stdout or Stderr already set")
	}
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.Bytes(), err
}

// Start starts the program and does not wait for it.
func (c *Cmd) Start() error {
	if c.exited != nil {
		return errors.New("tine: command already started")
	}
	if c.Terminal != nil && c.Terminal.port.Load() != nil {
		return errors.New("tine: the terminal belongs to another command")
	}
	if err := c.ctx.Err(); err != nil {
		return err
	}
	c.exited = make(chan struct{})
	var err error
	c.m.k.Do(func() { err = c.spawn() })
	if err == nil {
		err = c.m.k.Failure()
	}
	if err != nil {
		c.closePorts()
		return err
	}
	for _, p := range c.inputs {
		go p.serve()
	}
	for _, p := range c.outputs {
		go p.serve()
	}
	if c.Terminal != nil {
		c.Terminal.port.Load().serve()
	}
	c.m.track(c)
	c.stop = context.AfterFunc(c.ctx, func() { c.Signal(syscall.SIGKILL) })
	return nil
}

// spawn starts the process. The kernel lock is held.
func (c *Cmd) spawn() error {
	m := c.m
	user := c.User
	if user == nil {
		user = &m.user
	}
	p := &kernel.Process{
		Argv: c.Args, Env: dedupEnv(c.Env), Dir: c.Dir,
		Cred:   kernel.NewCred(user.UID, user.GID, user.Groups),
		Limits: maps.Clone(m.limits),
		Exited: func(status int) {
			c.status = WaitStatus(status)
			close(c.exited)
		},
	}
	if c.Env == nil {
		p.Env = m.defaultEnv(user)
	}
	if len(p.Argv) == 0 {
		p.Argv = []string{c.Path}
	}
	if p.Dir == "" {
		p.Dir = m.dir
	}
	for r, l := range c.Limits {
		p.Limits[r] = linux.Rlimit{Cur: l.Soft, Max: l.Hard}
	}
	if errno := m.k.CheckDir(p); errno != 0 {
		return fmt.Errorf("tine: working directory %s: %s", p.Dir, errno.Message())
	}
	path, errno := m.k.LookPath(c.Path, p)
	if errno == 0 {
		p.Path = path
		errno = c.openFiles(p, user)
	}
	if errno == 0 {
		c.PID, errno = m.k.Spawn(p)
	}
	if errno != 0 {
		for _, f := range p.Files {
			f.Put()
		}
		return &StartError{Path: c.Path, Errno: errno.String(), text: errno.Message()}
	}
	return nil
}

// openFiles makes the terminal, if there is one, and descriptors 0, 1 and 2.
func (c *Cmd) openFiles(p *kernel.Process, user *User) linux.Errno {
	m := c.m
	var terminal *vfs.File
	if c.Terminal != nil {
		var errno linux.Errno
		if terminal, errno = c.Terminal.connect(m.k, user.UID); errno != 0 {
			return errno
		}
		defer terminal.Put()
		if !c.Terminal.Console {
			p.TTY = c.Terminal.port.Load().host.TTY()
		}
	}
	if c.Stdin == nil {
		p.Files = append(p.Files, c.openDefault(terminal, linux.O_RDONLY))
	} else {
		in := newInputPort(m.k, c.Stdin, m.nextIno())
		c.inputs = append(c.inputs, in)
		p.Files = append(p.Files, vfs.NewFile(in.in, linux.O_RDONLY))
	}
	p.Files = append(p.Files, c.openOutput(c.Stdout, terminal))
	if c.Stderr != nil && sameWriter(c.Stdout, c.Stderr) {
		p.Files = append(p.Files, p.Files[1].Get())
	} else {
		p.Files = append(p.Files, c.openOutput(c.Stderr, terminal))
	}
	return 0
}

// openDefault is what stands for a stream that is nil.
func (c *Cmd) openDefault(terminal *vfs.File, flags uint32) *vfs.File {
	if terminal != nil {
		return terminal.Get()
	}
	return c.m.openNull(flags)
}

func (c *Cmd) openOutput(w io.Writer, terminal *vfs.File) *vfs.File {
	if w == nil {
		return c.openDefault(terminal, linux.O_WRONLY)
	}
	out := newOutputPort(c.m.k, w, c.m.nextIno())
	c.outputs = append(c.outputs, out)
	return vfs.NewFile(out.out, linux.O_WRONLY)
}

// sameWriter compares writers that may not be comparable.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() {
		if recover() != nil {
			same = false
		}
	}()
	return a == b
}

// Wait waits until the program has ended and its output has been written. The
// output is complete when the program itself ends: what processes that it left
// behind write later is lost.
func (c *Cmd) Wait() error {
	if c.exited == nil {
		return errors.New("tine: command not started")
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.waited {
		return errors.New("tine: Wait was already called")
	}
	c.waited = true
	<-c.exited
	c.stop()
	c.closePorts()
	c.m.untrack(c)
	if err := c.m.k.Failure(); err != nil {
		return err
	}
	if c.status != 0 {
		if err := c.ctx.Err(); err != nil && c.status.Signal() == syscall.SIGKILL {
			return err
		}
		return &ExitError{Status: c.status}
	}
	return c.outputError()
}

func (c *Cmd) outputError() error {
	for _, p := range c.outputs {
		if p.err != nil && !errors.Is(p.err, syscall.EPIPE) {
			return p.err
		}
	}
	if c.Terminal != nil {
		return c.Terminal.port.Load().err
	}
	return nil
}

// closePorts ends the ports after they have written everything.
func (c *Cmd) closePorts() {
	for _, p := range c.inputs {
		p.close()
	}
	for _, p := range c.outputs {
		p.close()
		if c.PID != 0 {
			<-p.done
		}
	}
	if c.Terminal != nil && c.Terminal.port.Load() != nil {
		c.Terminal.port.Load().close(c.PID != 0)
	}
}

// Status is the wait status of the program, once Wait has returned.
func (c *Cmd) Status() WaitStatus { return c.status }

// Signal sends a signal to the program. Numbers are Linux's.
func (c *Cmd) Signal(sig syscall.Signal) error {
	return c.signal(func() linux.Errno { return c.m.k.Signal(c.PID, linux.Signal(sig)) })
}

// SignalGroup sends a signal to the program's process group, or to the
// foreground group of its terminal, as pressing a key like Ctrl-C does.
func (c *Cmd) SignalGroup(sig syscall.Signal) error {
	return c.signal(func() linux.Errno { return c.m.k.SignalForeground(c.PID, linux.Signal(sig)) })
}

func (c *Cmd) signal(send func() linux.Errno) error {
	if c.PID == 0 {
		return errors.New("tine: command not started")
	}
	errno := linux.ESRCH
	c.m.k.Do(func() {
		select {
		case <-c.exited:
		default:
			errno = send()
		}
	})
	if errno != 0 {
		return errors.New("tine: signal process: " + errno.Message())
	}
	return nil
}

// dedupEnv keeps the last value of each variable, in order of first
// appearance.
func dedupEnv(env []string) []string {
	var out []string
	at := make(map[string]int)
	for _, kv := range env {
		i := slices.Index([]byte(kv), '=')
		if i <= 0 {
			continue
		}
		if j, ok := at[kv[:i]]; ok {
			out[j] = kv
			continue
		}
		at[kv[:i]] = len(out)
		out = append(out, kv)
	}
	return out
}
