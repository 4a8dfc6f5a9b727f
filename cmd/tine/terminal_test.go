//go:build linux && amd64

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tinevm/tine/internal/ptytest"
)

const patience = time.Minute

// inTerminal runs tine in a terminal of the host until the screen shows text.
func inTerminal(t *testing.T, text string, args ...string) *ptytest.Terminal {
	t.Helper()
	cmd := exec.Command("tine", args...)
	cmd.Dir = t.TempDir()
	p := ptytest.Start(t, cmd, 24, 80)
	shows(t, p, text)
	return p
}

func shows(t *testing.T, p *ptytest.Terminal, text string) {
	t.Helper()
	if !p.WaitFor(patience, func(s string) bool { return strings.Contains(s, text) }) {
		t.Fatalf("the screen does not show %q:\n%s", text, p.Screen())
	}
}

// TestTerminalGivenBack ends tine in every way there is. Afterwards the host's
// terminal must be as it was.
func TestTerminalGivenBack(t *testing.T) {
	signal := func(sig syscall.Signal) func(*ptytest.Terminal) {
		return func(p *ptytest.Terminal) { p.Process().Signal(sig) }
	}
	bash := []string{"run", "-it", "-e", "PS1=ready", "--", "bash", "--norc"}
	for _, tt := range []struct {
		name string
		args []string
		text string
		end  func(*ptytest.Terminal)
		code int
	}{
		{"exit", bash, "ready", func(p *ptytest.Terminal) { p.Type("exit 7\r") }, 7},
		{"end of file", bash, "ready", func(p *ptytest.Terminal) { p.Type("\x04") }, 0},
		{"killed inside", bash, "ready", func(p *ptytest.Terminal) { p.Type("kill -9 $$\r") }, 128 + 9},
		{"keyboard signal", []string{"run", "-it", "--", "sh", "-c", "echo ready; exec sleep 100"}, "ready", func(p *ptytest.Terminal) { p.Type("\x03") }, 128 + 2},
		{"no such program", []string{"run", "-it", "nonesuch"}, "not found", func(*ptytest.Terminal) {}, 127},
		{"timeout", []string{"run", "-it", "--timeout", "100ms", "cat"}, "killed after", func(*ptytest.Terminal) {}, 124},
		{"hang-up", bash, "ready", signal(syscall.SIGHUP), 128 + 1},
		{"terminate", bash, "ready", signal(syscall.SIGTERM), 128 + 1},
		{"interrupt", []string{"run", "-it", "--", "sh", "-c", "echo ready; exec sleep 100"}, "ready", signal(syscall.SIGINT), 128 + 2},
		{"kill", bash, "ready", signal(syscall.SIGKILL), 128 + 9},
		{"abort", bash, "ready", signal(syscall.SIGABRT), 2}, // the Go runtime's crash
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := inTerminal(t, tt.text, tt.args...)
			raw := p.Attributes()
			tt.end(p)
			if code := p.Wait(patience); code != tt.code {
				t.Errorf("exit code %d, want %d; the screen:\n%s", code, tt.code, p.Screen())
			}
			// A new terminal is as this one was.
			fresh := ptytest.Start(t, exec.Command("true"), 24, 80).Attributes()
			if tt.name != "no such program" && tt.name != "timeout" && raw == fresh {
				t.Error("the terminal was never raw")
			}
			if !p.WaitFor(patience, func(string) bool { return p.Attributes() == fresh }) {
				t.Errorf("attributes %+v, want %+v", p.Attributes(), fresh)
			}
		})
	}
}

// TestTerminatedTwice: who does not heed the end of its terminal is killed the
// second time.
func TestTerminatedTwice(t *testing.T) {
	p := inTerminal(t, "ready", "run", "-it", "--", "sh", "-c", `trap "" HUP TERM; echo ready; while :; do sleep 1; done`)
	p.Process().Signal(syscall.SIGTERM)
	time.Sleep(100 * time.Millisecond) // so that the two do not become one
	p.Process().Signal(syscall.SIGTERM)
	if code := p.Wait(patience); code != 128+9 {
		t.Errorf("exit code %d", code)
	}
}

// TestTerminalVanishes takes the host's terminal away: the program gets SIGHUP.
func TestTerminalVanishes(t *testing.T) {
	dir := t.TempDir()
	const script = `trap "echo hung up > /out/told; exit 3" HUP; echo ready; while :; do sleep 0.1; done`
	p := inTerminal(t, "ready", "run", "-it", "-v", dir+":/out:rw", "--", "sh", "-c", script)
	p.Hangup()
	if code := p.Wait(patience); code != 3 {
		t.Errorf("exit code %d", code)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "told")); string(b) != "hung up\n" {
		t.Errorf("the program wrote %q, %v", b, err)
	}
}

func TestWindowSize(t *testing.T) {
	p := inTerminal(t, "24 80", "run", "-it", "--", "sh", "-c", `trap "stty size" WINCH; stty size; while :; do sleep 0.1; done`)
	p.Resize(30, 100)
	shows(t, p, "30 100")
	p.Type("\x03")
	p.Wait(patience)
}

// TestTerminalOutput: what tine itself says begins at the left while the
// terminal is raw.
func TestTerminalOutput(t *testing.T) {
	p := inTerminal(t, "", "run", "-it", "--strace", "-e", "trace=chdir", "--", "sh", "-c", "cd /; cd /usr; cd /usr/bin")
	p.Wait(patience)
	for line := range strings.Lines(p.Screen()) {
		if strings.HasPrefix(line, " ") {
			t.Errorf("the screen:\n%s", p.Screen())
		}
	}
	shows(t, p, `chdir("/usr/bin")`)
}
