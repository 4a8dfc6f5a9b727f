//go:build linux && amd64

package tine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tinevm/tine"
)

func ExampleTerminal() {
	m, err := tine.New(tine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	var screen bytes.Buffer
	cmd := m.Command(context.Background(), "sh", "-c", "stty size; read name; echo hello $name on $(tty)")
	cmd.Terminal = &tine.Terminal{Input: strings.NewReader("you\n"), Output: &screen, Rows: 24, Cols: 80}
	err = cmd.Run()
	fmt.Printf("%q %v\n", strings.ReplaceAll(screen.String(), "you\r\n24 80\r\n", "24 80\r\nyou\r\n"), err)
	// Output: "24 80\r\nyou\r\nhello you on /dev/pts/0\r\n" <nil>
}

// screen collects what a terminal shows.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

func (s *screen) waitFor(t *testing.T, text string) {
	t.Helper()
	for range 6000 {
		if strings.Contains(s.String(), text) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("the terminal does not show %q but %q", text, s.String())
}

// startShell runs a script in a terminal.
func startShell(t *testing.T, m *tine.Machine, script string) (*tine.Cmd, *screen, *io.PipeWriter) {
	t.Helper()
	s := &screen{}
	r, w := io.Pipe()
	cmd := m.Command(context.Background(), "bash", "-c", script)
	cmd.Terminal = &tine.Terminal{Input: r, Output: s, Rows: 10, Cols: 20}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return cmd, s, w
}

func TestTerminalControl(t *testing.T) {
	before := count(t)
	m, err := tine.New(tine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	const wait = "; sleep 1000 & while :; do wait; done" // traps end each wait
	a, screenA, keysA := startShell(t, m, `trap 'stty size' WINCH; trap 'echo interrupted; exit 4' INT; tty; echo ready`+wait)
	b, screenB, keysB := startShell(t, m, `trap 'exit 5' HUP; tty; echo ready`+wait)
	screenA.waitFor(t, "/dev/pts/0\r\nready")
	screenB.waitFor(t, "ready")
	if !strings.Contains(screenB.String(), "/dev/pts/1") {
		t.Errorf("the second terminal: %q", screenB)
	}
	if err := m.Command(context.Background(), "sh", "-c", "echo broadcast > /dev/pts/1; ps -t pts/0 -o comm= | grep bash").Run(); err != nil {
		t.Error(err)
	}
	screenB.waitFor(t, "broadcast\r\n")
	a.Terminal.Resize(30, 100)
	screenA.waitFor(t, "30 100")
	io.WriteString(keysA, "\x03")
	checkExit(t, a, 4)
	b.Terminal.Hangup()
	checkExit(t, b, 5)

	// A terminal that is in use, or was.
	c := m.Command(context.Background(), "true")
	c.Terminal = a.Terminal
	if err := c.Run(); err == nil {
		t.Error("a terminal can be used twice")
	}
	// A reader that fails is a hang-up, an open terminal does not outlive Close.
	d, screenD, keysD := startShell(t, m, "trap 'exit 6' HUP; echo ready"+wait)
	screenD.waitFor(t, "ready")
	keysD.CloseWithError(errors.New("the line is broken"))
	checkExit(t, d, 6)
	_, screenE, keysE := startShell(t, m, "echo ready"+wait)
	screenE.waitFor(t, "ready")
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	keysA.Close()
	keysB.Close()
	keysE.Close()
	var after held
	for range 100 {
		if after = count(t); after == before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("before the machine %+v, after it %+v", before, after)
}

// TestTerminalPaste types much more than a terminal holds, while much is
// printed: nothing is lost.
func TestTerminalPaste(t *testing.T) {
	m, err := tine.New(tine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	const lines = 20000
	var typed, echoed strings.Builder
	for i := range lines {
		fmt.Fprintf(&typed, "line %d\n", i)
		fmt.Fprintf(&echoed, "line %d\r\n", i)
	}
	typed.WriteString("\x04")
	out := &screen{}
	cmd := m.Command(context.Background(), "sh", "-c", "stty -echo; echo; exec cat")
	cmd.Terminal = &tine.Terminal{Input: strings.NewReader(typed.String()), Output: out}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	// What is typed before the echo is off is shown as well.
	if text := out.String(); !strings.HasSuffix(text, echoed.String()) {
		t.Errorf("%d bytes were printed, want %d; they end in %q", len(text), echoed.Len(), text[max(0, len(text)-100):])
	}
}

func checkExit(t *testing.T, cmd *tine.Cmd, code int) {
	t.Helper()
	var ee *tine.ExitError
	if err := cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != code {
		t.Errorf("ended with %v, want exit status %d", err, code)
	}
}

// TestTerminalMovedAway: what a process does to /dev/pts cannot lead a new
// command's streams somewhere else.
func TestTerminalMovedAway(t *testing.T) {
	m, err := tine.New(tine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if err := m.Command(context.Background(), "sh", "-c", "mount -t tmpfs x /dev/pts && mkfifo /dev/pts/0").Run(); err != nil {
		t.Fatal(err)
	}
	cmd := m.Command(context.Background(), "tty")
	cmd.Terminal = &tine.Terminal{}
	var se *tine.StartError
	if err := cmd.Run(); !errors.As(err, &se) || se.Errno != "ENXIO" {
		t.Errorf("error %v", err)
	}
}
