package tine

import (
	"io"
	"sync/atomic"
	"time"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/tty"
	"github.com/tinevm/tine/internal/vfs"
)

// Terminal is a terminal for a command: a pseudo-terminal of the machine,
// /dev/pts/N, whose keyboard and screen are here. The program leads a session
// of its own that the terminal controls, so that a Ctrl-C in Input is SIGINT for
// the job in the foreground. A Terminal is for one Cmd.
type Terminal struct {
	// Input is what is typed; programs may read it later. After io.EOF nobody
	// types any more; any other error is a hang-up. nil is an empty input.
	Input io.Reader
	// Output is the screen: what programs write and the echo of what is typed,
	// in the language of the TERM that the program's environment names. An
	// error is a hang-up. If it is nil nobody watches.
	Output io.Writer
	// Rows and Cols are the window's size when the program starts; 0 is
	// unknown. Resize changes it later.
	Rows, Cols uint16
	// Console makes it /dev/console, for a command that is process 1: no session
	// is controlled by it until a program such as getty takes it.
	Console bool

	port atomic.Pointer[terminalPort] // once it is connected
}

// Resize tells the programs that the window has another size now (SIGWINCH).
// It does nothing before the command is started.
func (t *Terminal) Resize(rows, cols uint16) {
	if p := t.port.Load(); p != nil {
		p.k.Do(func() { p.host.Resize(rows, cols) })
	}
}

// Hangup cuts the line: the program gets SIGHUP, and nothing can be read from
// the terminal or written to it any more.
func (t *Terminal) Hangup() {
	if p := t.port.Load(); p != nil {
		p.k.Do(p.host.Hangup)
	}
}

// connect makes the terminal in the machine and opens it. The kernel lock is
// held.
func (t *Terminal) connect(k *kernel.Kernel, uid uint32) (*vfs.File, linux.Errno) {
	p := &terminalPort{
		k: k, in: t.Input, out: t.Output,
		ready: make(chan struct{}, 1), room: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{}),
	}
	var errno linux.Errno
	p.host, errno = k.Terminals().NewHostTTY(uid, func() {
		poke(p.ready)
		poke(p.room)
	})
	if errno != 0 {
		return nil, errno
	}
	p.host.Resize(t.Rows, t.Cols)
	f, errno := k.OpenTerminal(p.host, t.Console)
	if errno != 0 {
		p.host.Hangup()
		return nil, errno
	}
	t.port.Store(p)
	return f, 0
}

// terminalPort moves the bytes of a terminal.
type terminalPort struct {
	k     *kernel.Kernel
	host  *tty.HostSide
	in    io.Reader
	out   io.Writer
	ready chan struct{} // there may be output
	room  chan struct{} // there may be room for input
	stop  chan struct{}
	done  chan struct{} // closed when nothing more will be written
	err   error         // of out
}

func (p *terminalPort) serve() {
	if p.in != nil {
		go p.serveInput()
	}
	go p.serveOutput()
}

func (p *terminalPort) serveInput() {
	buf := make([]byte, 4096)
	for {
		n, err := p.in.Read(buf)
		for b := buf[:n]; len(b) > 0; {
			p.k.Do(func() { b = b[p.host.Input(b):] })
			if len(b) == 0 {
				break
			}
			select {
			case <-p.room:
			case <-p.stop:
				return
			}
		}
		if err != nil {
			if err != io.EOF {
				p.k.Do(p.host.Hangup)
			}
			return
		}
	}
}

func (p *terminalPort) serveOutput() {
	defer close(p.done)
	for {
		select {
		case <-p.ready:
			p.drain()
		case <-p.stop:
			p.drain()
			p.k.Do(p.host.Hangup)
			return
		}
	}
}

// drain writes what there is.
func (p *terminalPort) drain() {
	var b []byte
	p.k.Do(func() { b = p.host.Output() })
	if len(b) == 0 || p.out == nil || p.err != nil {
		return
	}
	if _, p.err = p.out.Write(b); p.err != nil {
		p.k.Do(p.host.Hangup)
	}
}

// close writes what is left and hangs up. A read of the input that is under
// way ends with the next key, or at once if the reader is a file that has
// deadlines. started tells whether serve was called.
func (p *terminalPort) close(started bool) {
	close(p.stop)
	if !started {
		p.k.Do(p.host.Hangup)
		return
	}
	if d, ok := p.in.(interface{ SetReadDeadline(time.Time) error }); ok {
		d.SetReadDeadline(time.Unix(1, 0))
	}
	<-p.done
}
