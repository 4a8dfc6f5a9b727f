package control

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/tinevm/tine"
)

// Server answers for a machine at its socket.
type Server struct {
	Name string

	l      net.Listener
	m      *tine.Machine
	info   Info
	env    []string
	ctx    context.Context
	cancel context.CancelFunc

	mu    sync.Mutex
	conns map[net.Conn]bool
	done  bool
	wg    sync.WaitGroup
}

// Listen takes a name for a machine that is about to start; with "" a random
// one.
func Listen(name string) (*Server, error) {
	if name != "" && !validName(name) {
		return nil, fmt.Errorf("name %q: want a letter, then letters, digits, _, . or -, at most 63", name)
	}
	dir, err := folder(true)
	if err != nil {
		return nil, err
	}
	s := &Server{Name: name, conns: make(map[net.Conn]bool)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	for try := 0; ; try++ {
		if name == "" {
			s.Name = randomName()
		}
		var inUse *InUseError
		if s.l, err = claim(dir, s.Name); name == "" && try < 100 && errors.As(err, &inUse) {
			continue
		}
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// Serve begins to answer for m, whose main program is main, until Close.
// Programs that clients run get env before what they bring.
func (s *Server) Serve(m *tine.Machine, main *tine.Cmd, env []string, version string) {
	s.m, s.env = m, env
	s.info = Info{
		Name: s.Name, HostPID: os.Getpid(), Started: time.Now().Truncate(time.Millisecond),
		Command: main.Args, PID: main.PID, Version: version,
	}
	s.wg.Go(func() {
		for {
			conn, err := s.l.Accept()
			if err != nil {
				return
			}
			if s.enter(conn) {
				s.wg.Go(func() {
					s.serve(newWire(conn))
					s.leave(conn)
				})
			}
		}
	})
}

// Close ends what clients run, and takes the socket away.
func (s *Server) Close() {
	s.l.Close()
	s.mu.Lock()
	s.done = true
	// Those who do not read the end they are told cannot keep tine.
	for c := range s.conns {
		c.SetDeadline(time.Now().Add(time.Second))
	}
	s.mu.Unlock()
	s.cancel()
	s.wg.Wait()
}

func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.done {
		conn.Close()
		return false
	}
	s.conns[conn] = true
	return true
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, conn)
	conn.Close()
}

// serve answers the request of a connection.
func (s *Server) serve(w *wire) {
	var req request
	w.conn.SetReadDeadline(time.Now().Add(patience))
	if err := w.readLine(&req, maxRequest); err != nil {
		return // a look whether anybody is there
	}
	w.conn.SetReadDeadline(time.Time{})
	ans := answer{Version: Version}
	switch {
	case req.Version != Version:
		ans.Error = fmt.Sprintf("machine %s speaks version %d of the protocol, not %d", s.Name, Version, req.Version)
	case req.Op == "info":
		info := s.info
		info.Stats = s.m.Stats()
		ans.Info = &info
	case req.Op == "ps":
		ans.Processes = s.m.Processes()
	case req.Op == "stats":
		st := s.m.Stats()
		ans.Stats = &st
	case req.Op == "signal":
		ans.Error = s.signal(&req)
	case req.Op == "exec" && req.Exec != nil && len(req.Exec.Argv) > 0:
		s.exec(w, req.Exec)
		return
	default:
		ans.Error = fmt.Sprintf("machine %s cannot do %q", s.Name, req.Op)
	}
	w.sendLine(&ans)
}

// signal sends a signal to all that are named, and tells of those where that
// failed.
func (s *Server) signal(req *request) string {
	var errs []error
	for _, pid := range req.PIDs {
		if err := s.m.Signal(pid, syscall.Signal(req.Signal)); err != nil {
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return err.Error()
	}
	return ""
}

// exec runs a program whose streams are the connection.
func (s *Server) exec(w *wire, e *Exec) {
	cmd := s.m.Command(s.ctx, e.Argv[0], e.Argv[1:]...)
	cmd.Env = MergeEnv(s.env, e.Env)
	cmd.Dir, cmd.User = e.Dir, e.User
	in := &remoteInput{w: w, data: make(chan []byte), gone: make(chan struct{})}
	out, errOut := &remoteOutput{w: w, kind: 'o'}, &remoteOutput{w: w, kind: 'e'}
	if e.Terminal != nil {
		cmd.Terminal = &tine.Terminal{Output: out, Rows: e.Terminal.Rows, Cols: e.Terminal.Cols}
		if e.Stdin {
			cmd.Terminal.Input = in
		}
	} else {
		if e.Stdin {
			cmd.Stdin = in
		}
		cmd.Stdout, cmd.Stderr = out, errOut
	}
	if !s.start(w, cmd) {
		return
	}
	go s.listen(w, cmd, in, out, errOut)
	err := cmd.Wait()
	var last end
	var ee *tine.ExitError
	switch {
	case errors.As(err, &ee):
		last.Code = ee.Status.Code()
	case errors.Is(err, context.Canceled): // the machine ends
		last.Code = cmd.Status().Code()
	case err != nil:
		last.Error = err.Error()
	}
	p, _ := json.Marshal(last)
	w.sendFrame('x', p)
}

// start starts a program and says whether it could be. The program's frames
// must wait for that.
func (s *Server) start(w *wire, cmd *tine.Cmd) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	ans := answer{Version: Version}
	err := cmd.Start()
	if err != nil {
		ans.Error = err.Error()
		if text, code, ok := StartFailure(cmd.Path, err); ok {
			ans.Error, ans.Code = text, code
		}
	}
	json.NewEncoder(w.conn).Encode(&ans)
	return err == nil
}

// MergeEnv puts more after env; a name without a value takes the variable out.
func MergeEnv(env, more []string) []string {
	env = slices.Clone(env)
	for _, e := range more {
		if strings.Contains(e, "=") {
			env = append(env, e)
			continue
		}
		env = slices.DeleteFunc(env, func(kv string) bool { return strings.HasPrefix(kv, e+"=") })
	}
	return env
}

// listen does what the client sends until the connection ends.
func (s *Server) listen(w *wire, cmd *tine.Cmd, in *remoteInput, outs ...*remoteOutput) {
	defer close(in.gone)
	for {
		kind, p, err := w.readFrame()
		if err != nil && cmd.Terminal != nil {
			cmd.Terminal.Hangup()
			return
		}
		if err != nil {
			cmd.Signal(syscall.SIGHUP) // fails if it has ended already
			return
		}
		switch kind {
		case 'i':
			if !in.put(p, s.ctx) {
				return
			}
		case 's':
			if len(p) != 2 {
				continue
			}
			if sig := syscall.Signal(p[0]); p[1] == 1 {
				cmd.SignalGroup(sig)
			} else {
				cmd.Signal(sig)
			}
		case 'r':
			if cmd.Terminal != nil && len(p) == 4 {
				cmd.Terminal.Resize(binary.BigEndian.Uint16(p), binary.BigEndian.Uint16(p[2:]))
			}
		case 'h':
			if cmd.Terminal != nil {
				cmd.Terminal.Hangup()
			}
		case 'b':
			for _, o := range outs {
				if len(p) == 1 && o.kind == p[0] {
					o.close()
				}
			}
		}
	}
}

// remoteInput reads from the client.
type remoteInput struct {
	w    *wire
	data chan []byte
	gone chan struct{} // closed with the connection
	rest []byte
}

// put hands over what has come. Only what was asked for comes, so that the
// reader is there.
func (in *remoteInput) put(p []byte, ctx context.Context) bool {
	select {
	case in.data <- p:
		return true
	case <-ctx.Done():
		return false
	}
}

// Read implements io.Reader.
func (in *remoteInput) Read(p []byte) (int, error) {
	if len(in.rest) == 0 {
		if err := in.w.sendFrame('w', nil); err != nil {
			return 0, err
		}
		select {
		case in.rest = <-in.data:
		case <-in.gone:
		}
		if len(in.rest) == 0 {
			return 0, io.EOF
		}
	}
	n := copy(p, in.rest)
	in.rest = in.rest[n:]
	return n, nil
}

// remoteOutput writes to the client.
type remoteOutput struct {
	w      *wire
	kind   byte
	mu     sync.Mutex
	closed bool
}

func (o *remoteOutput) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.closed = true
}

// Write implements io.Writer.
func (o *remoteOutput) Write(p []byte) (n int, err error) {
	o.mu.Lock()
	closed := o.closed
	o.mu.Unlock()
	if closed {
		return 0, syscall.EPIPE
	}
	for n < len(p) {
		part := p[n:min(len(p), n+maxFrame)]
		if err := o.w.sendFrame(o.kind, part); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, nil
}
