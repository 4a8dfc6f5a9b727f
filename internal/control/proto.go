// Package control is the way into a machine that runs in another process: a
// UNIX socket by its name, which only the machine's owner can open.
//
// # Protocol
//
// A connection carries one request. The client sends it as a line of JSON, the
// server answers with a line of JSON. Both name the protocol's version; a
// server refuses others. For an exec, frames follow in both directions: a byte
// that says what it is, four bytes of length, the most significant first, and
// the contents.
//
//	i  client  input; an empty one is its end
//	s  client  a signal: its number, then 1 if it is for the process group
//	r  client  the size of the terminal's window: rows and columns, two bytes each
//	h  client  the terminal hangs up
//	b  client  what it names, o or e, is not read any more
//	w  server  the program wants input
//	o  server  standard output
//	e  server  standard error
//	x  server  the end, as JSON; the last frame
//
// Input is sent only when it is wanted, so that a program which reads none
// takes none away. A client that goes away without the end is a terminal that
// hangs up: its program gets SIGHUP, and its output has no reader.
// With a terminal all output is standard output.
package control

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/tinevm/tine"
)

// Version is the protocol's version.
const Version = 1

// What one side makes the other hold has bounds: of frames, of requests, and of
// answers, where a million processes take about 600 bytes each.
const (
	maxFrame   = 1 << 20
	maxRequest = 16 << 20
	maxAnswer  = 1 << 30
)

// Exit codes for programs that cannot be started, as docker and shells have
// them.
const (
	ExitNoExec   = 126 // the program cannot be executed
	ExitNotFound = 127 // there is no such program
)

// request is what a client asks.
type request struct {
	Version int    `json:"version"`
	Op      string `json:"op"` // info, ps, stats, signal, exec
	PIDs    []int  `json:"pids,omitempty"`
	Signal  int    `json:"signal,omitempty"`
	Exec    *Exec  `json:"exec,omitempty"`
}

// Exec is a program to be run in a machine.
type Exec struct {
	Argv  []string   `json:"argv"`
	Env   []string   `json:"env,omitempty"` // in addition to the machine's
	Dir   string     `json:"dir,omitempty"` // "" is the machine's
	User  *tine.User `json:"user,omitempty"`
	Stdin bool       `json:"stdin,omitempty"`
	// Terminal asks for a terminal instead of streams.
	Terminal *Window `json:"terminal,omitempty"`
}

// Window is the size of a terminal's window.
type Window struct {
	Rows uint16 `json:"rows"`
	Cols uint16 `json:"cols"`
}

// answer is what the server says.
type answer struct {
	Version   int            `json:"version"`
	Error     string         `json:"error,omitempty"`
	Code      int            `json:"code,omitempty"` // exit code that goes with Error, if any
	Info      *Info          `json:"info,omitempty"`
	Processes []tine.Process `json:"processes,omitempty"`
	Stats     *tine.Stats    `json:"stats,omitempty"`
}

// Info describes a machine. The JSON names of the fields do not change.
type Info struct {
	Name    string     `json:"name"`
	HostPID int        `json:"host_pid"` // of the tine that runs it
	Started time.Time  `json:"started"`  // host time
	Command []string   `json:"command"`  // the main program
	PID     int        `json:"pid"`      // its pid inside the machine
	Version string     `json:"version"`  // tine's
	Stats   tine.Stats `json:"stats"`
}

// end is the contents of the last frame.
type end struct {
	Code  int    `json:"code"`
	Error string `json:"error,omitempty"`
}

// StartFailure tells why a program could not be started and gives the exit code
// of shells and docker for it; ok is false if err is something else.
func StartFailure(name string, err error) (text string, code int, ok bool) {
	var se *tine.StartError
	switch {
	case !errors.As(err, &se):
		return "", 0, false
	case errors.Is(err, fs.ErrNotExist) && !strings.Contains(name, "/"):
		return name + ": program not found in the machine's PATH", ExitNotFound, true
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Sprintf("%v; the machine shows system folders and the current folder, -v shows more", err), ExitNotFound, true
	case se.Errno == "ENOEXEC" || se.Errno == "ELIBBAD":
		return fmt.Sprintf("%v: not a program for x86-64 Linux", err), ExitNoExec, true
	}
	return err.Error(), ExitNoExec, true
}

// wire is one end of a connection. Frames of different senders do not mix.
type wire struct {
	conn net.Conn
	r    *bufio.Reader
	mu   sync.Mutex
}

func newWire(conn net.Conn) *wire { return &wire{conn: conn, r: bufio.NewReader(conn)} }

// sendLine sends v as a line of JSON.
func (w *wire) sendLine(v any) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return json.NewEncoder(w.conn).Encode(v)
}

// readLine reads a line of JSON of at most limit bytes into v.
func (w *wire) readLine(v any, limit int) error {
	var line []byte
	for {
		part, err := w.r.ReadSlice('\n')
		line = append(line, part...)
		if err == nil {
			return json.Unmarshal(line, v)
		}
		if err != bufio.ErrBufferFull {
			return err
		}
		if len(line) > limit {
			return errors.New("line too long")
		}
	}
}

// sendFrame sends a frame of at most maxFrame bytes.
func (w *wire) sendFrame(kind byte, p []byte) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	buf := make([]byte, 5, 5+len(p))
	buf[0] = kind
	binary.BigEndian.PutUint32(buf[1:], uint32(len(p)))
	_, err := w.conn.Write(append(buf, p...))
	return err
}

// readFrame reads the next frame.
func (w *wire) readFrame() (kind byte, p []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(w.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, fmt.Errorf("frame of %d bytes", n)
	}
	p = make([]byte, n)
	_, err = io.ReadFull(w.r, p)
	return head[0], p, err
}
