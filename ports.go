package tine

import (
	"io"
	"os"
	"time"

	"github.com/tinevm/tine/internal/fs/hostio"
	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
)

// A port is served by a goroutine of its own that waits for the host without
// holding the kernel lock, and enters the kernel to deliver.

// inputPort feeds a reader's bytes to the guest, when the guest wants some.
type inputPort struct {
	k    *kernel.Kernel
	r    io.Reader
	in   *hostio.Input
	want chan struct{}
	stop chan struct{}
	// asked: the guest waits for the next bytes.
	asked bool
}

func newInputPort(k *kernel.Kernel, r io.Reader, ino uint64) *inputPort {
	p := &inputPort{k: k, r: r, want: make(chan struct{}, 1), stop: make(chan struct{})}
	p.in = hostio.NewInput(streamMode(r), ino, func() {
		if !p.asked {
			p.asked = true
			k.Await()
		}
		poke(p.want)
	})
	return p
}

// read takes the next bytes. On a seeded machine the pieces in which they come
// must not depend on the host's timing, unless somebody types them.
func (p *inputPort) read(buf []byte) (int, error) {
	if !p.k.Seeded() || streamMode(p.r)&linux.S_IFMT == linux.S_IFCHR {
		return p.r.Read(buf)
	}
	n, err := io.ReadFull(p.r, buf)
	if err == io.ErrUnexpectedEOF {
		err = io.EOF
	}
	return n, err
}

// poke makes a channel of capacity one full.
func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (p *inputPort) serve() {
	buf := make([]byte, 32<<10)
	for {
		select {
		case <-p.want:
		case <-p.stop:
			return
		}
		n, err := p.read(buf)
		select {
		case <-p.stop:
			return
		default:
		}
		p.k.Do(func() {
			if n > 0 {
				p.in.Feed(buf[:n])
			}
			if err != nil {
				p.in.Close()
			}
			p.answered()
		})
		if err != nil {
			return
		}
	}
}

// answered ends the guest's wait. The kernel lock is held.
func (p *inputPort) answered() {
	if p.asked {
		p.asked = false
		p.k.Answered()
	}
}

// close ends the port. A read that is under way cannot be interrupted unless
// the reader is a file that has deadlines; such a goroutine ends with its read.
func (p *inputPort) close() {
	close(p.stop)
	p.k.Do(p.answered)
	if d, ok := p.r.(interface{ SetReadDeadline(time.Time) error }); ok {
		d.SetReadDeadline(time.Unix(1, 0))
	}
}

// outputPort writes what the guest writes.
type outputPort struct {
	k     *kernel.Kernel
	w     io.Writer
	out   *hostio.Output
	ready chan struct{}
	stop  chan struct{}
	done  chan struct{} // closed when nothing more will be written
	err   error
	// flooded: the machine waits until all is written.
	flooded bool
}

func newOutputPort(k *kernel.Kernel, w io.Writer, ino uint64) *outputPort {
	p := &outputPort{k: k, w: w, ready: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	p.out = hostio.NewOutput(streamMode(w), ino, func() { poke(p.ready) })
	if k.Seeded() {
		p.out.Flood = func() {
			p.flooded = true
			k.Await()
		}
	}
	if f, ok := w.(*os.File); ok {
		p.out.Gone = func() bool { return readerGone(f) }
	}
	return p
}

func (p *outputPort) serve() {
	defer close(p.done)
	for {
		select {
		case <-p.ready:
			if p.drain() {
				return
			}
		case <-p.stop:
			p.drain()
			p.k.Do(p.out.Break)
			return
		}
	}
}

// drain writes what there is and reports whether the guest has closed the
// stream.
func (p *outputPort) drain() bool {
	var b []byte
	var last bool
	p.k.Do(func() {
		b, last = p.out.Take()
		if p.flooded {
			p.flooded = false
			p.k.Answered()
		}
	})
	if len(b) > 0 && p.err == nil {
		if _, p.err = p.w.Write(b); p.err != nil {
			p.k.Do(p.out.Break)
		}
	}
	return last
}

// close makes the port write what is left and end; who still writes in the
// guest gets EPIPE.
func (p *outputPort) close() { close(p.stop) }

// streamMode is the mode that a guest sees of a host stream: that of the host's
// file, otherwise a pipe.
func streamMode(s any) uint32 {
	f, ok := s.(*os.File)
	if !ok {
		return linux.S_IFIFO | 0o600
	}
	st, err := f.Stat()
	if err != nil {
		return linux.S_IFIFO | 0o600
	}
	perm := uint32(st.Mode().Perm())
	switch m := st.Mode(); {
	case m.IsRegular():
		return linux.S_IFREG | perm
	case m&os.ModeCharDevice != 0:
		return linux.S_IFCHR | perm
	case m&os.ModeSocket != 0:
		return linux.S_IFSOCK | perm
	}
	return linux.S_IFIFO | perm
}

// hostClock is the host's time.
type hostClock struct{ start time.Time }

// Monotonic implements kernel.Clock. Zero is a little in the past, as on a
// machine that has been up for a while, so that no valid time is zero.
func (c *hostClock) Monotonic() int64 { return int64(time.Since(c.start)) + 1e9 }

// Realtime implements kernel.Clock.
func (c *hostClock) Realtime() int64 { return time.Now().UnixNano() }
