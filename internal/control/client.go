package control

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/tinevm/tine"
)

// dial asks a machine something and gives its answer; the connection stays
// open.
func dial(name string, req *request, limit time.Duration) (*wire, *answer, error) {
	dir, err := folder(false)
	if err != nil {
		return nil, nil, err
	}
	conn, err := net.DialTimeout("unix", filepath.Join(dir, name+socketSuffix), patience)
	if err != nil {
		return nil, nil, err
	}
	w := newWire(conn)
	if limit > 0 {
		conn.SetDeadline(time.Now().Add(limit))
	}
	req.Version = Version
	var ans answer
	if err = w.sendLine(req); err == nil {
		err = w.readLine(&ans, maxAnswer)
	}
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = fmt.Errorf("machine %s does not answer; is its tine stopped?", name)
	case err == io.EOF:
		err = fmt.Errorf("machine %s has just ended", name)
	case err == nil && ans.Error != "":
		err = &Error{ans.Error, ans.Code}
	}
	if err != nil {
		conn.Close()
		return nil, nil, err
	}
	return w, &ans, nil
}

// ask is dial for a question that one answer ends. A list of a million
// processes takes its time.
func ask(name string, req *request) (*answer, error) {
	limit := patience
	if req.Op == "ps" {
		limit = 2 * time.Minute
	}
	w, ans, err := dial(name, req, limit)
	if err != nil {
		return nil, err
	}
	w.conn.Close()
	return ans, nil
}

// Error is a machine's refusal.
type Error struct {
	Text string
	// Code is the exit code for a program that could not be started; 0 if it
	// is another error.
	Code int
}

// Error implements error.
func (e *Error) Error() string { return e.Text }

// Describe asks a machine what it is.
func Describe(name string) (*Info, error) {
	ans, err := ask(name, &request{Op: "info"})
	if err != nil {
		return nil, err
	}
	if ans.Info == nil {
		return nil, fmt.Errorf("machine %s gave no answer", name)
	}
	return ans.Info, nil
}

// Processes asks a machine for its processes.
func Processes(name string) ([]tine.Process, error) {
	ans, err := ask(name, &request{Op: "ps"})
	if err != nil {
		return nil, err
	}
	return ans.Processes, nil
}

// Signal sends a signal to processes of a machine.
func Signal(name string, sig int, pids []int) error {
	_, err := ask(name, &request{Op: "signal", Signal: sig, PIDs: pids})
	return err
}

// Session is a program that a client runs in a machine.
type Session struct {
	w      *wire
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// Start runs a program in a machine. If it cannot be started the error is an
// *Error.
func Start(name string, e *Exec, stdin io.Reader, stdout, stderr io.Writer) (*Session, error) {
	e.Stdin = stdin != nil
	w, _, err := dial(name, &request{Op: "exec", Exec: e}, 0)
	if err != nil {
		return nil, err
	}
	return &Session{w, stdin, stdout, stderr}, nil
}

// Signal sends a signal to the program.
func (s *Session) Signal(sig syscall.Signal) error { return s.w.sendFrame('s', []byte{byte(sig), 0}) }

// SignalGroup sends a signal to the program's process group.
func (s *Session) SignalGroup(sig syscall.Signal) error {
	return s.w.sendFrame('s', []byte{byte(sig), 1})
}

// Resize tells the size of the terminal's window.
func (s *Session) Resize(rows, cols uint16) {
	s.w.sendFrame('r', binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(nil, rows), cols))
}

// Hangup cuts the terminal's line.
func (s *Session) Hangup() { s.w.sendFrame('h', nil) }

// Wait carries the streams until the program has ended, and gives its exit
// code.
func (s *Session) Wait() (code int, err error) {
	defer s.w.conn.Close()
	for {
		kind, p, err := s.w.readFrame()
		if err != nil {
			return 0, fmt.Errorf("the machine has ended: %w", err)
		}
		switch kind {
		case 'w':
			go s.feed()
		case 'o':
			s.write(s.stdout, kind, p)
		case 'e':
			s.write(s.stderr, kind, p)
		case 'x':
			var last end
			if err := json.Unmarshal(p, &last); err != nil {
				return 0, err
			}
			if last.Error != "" {
				return 0, errors.New(last.Error)
			}
			return last.Code, nil
		}
	}
}

// feed reads once and sends what came. The program asks again when it wants
// more.
func (s *Session) feed() {
	buf := make([]byte, 32<<10)
	for {
		n, err := s.stdin.Read(buf)
		switch {
		case n == 0 && err == nil:
			continue
		case n == 0 && err != io.EOF:
			s.Hangup() // the keyboard is gone
		}
		s.w.sendFrame('i', buf[:n])
		return
	}
}

// write passes output on, or says that nobody takes it any more.
func (s *Session) write(to io.Writer, kind byte, p []byte) {
	if _, err := to.Write(p); err != nil {
		s.w.sendFrame('b', []byte{kind})
	}
}
