//go:build linux && amd64

package oracle

import (
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/tinevm/tine/internal/ptytest"
)

// A session is a program in a terminal and what a person does there. It runs
// natively and on tine, and the person sees the same after each step.
type session struct {
	name  string
	args  []string
	files map[string]string // of the working directory
	env   []string
	needs []string
	steps []keys
}

// keys is one step: what is typed, and what then must appear on the screen.
type keys struct {
	typed string
	shows string // a part of the screen, with a new line at its end
	is    string // the whole screen, if not empty
	rows  int    // if not 0 the window gets this size first
	cols  int
	loose bool // the screen has numbers that differ: only shows counts
}

// The window at the start.
const (
	rows = 24
	cols = 80
)

// sleeper types a command that says when it runs: shells read what is typed
// before as keys for themselves.
func sleeper(says string) string { return "sh -c 'echo " + says + "; exec sleep 100'\r" }

// untilStopped waits for a job in the background. (With "wait" it would be
// chance which of two messages comes first.)
const untilStopped = "until jobs | grep -q Stop; do sleep 0.1; done\r"

func bash(args ...string) []string {
	return append([]string{"bash", "--norc", "--noprofile"}, args...)
}

// done reports whether the screen shows that the step is over.
func (k *keys) done(screen string) bool {
	return strings.Contains(screen+"\n", k.shows) && (k.is == "" || screen == k.is)
}

var sessions = []session{
	{name: "editing", args: bash("-i"), files: map[string]string{"completed": "text\n", "other": ""}, steps: []keys{
		{typed: "echo wrld\x02\x02\x02o\r", shows: "\nworld"},
		{typed: "echo one two three\x17\x17\x19 \x01\x1b[C\x0b\x19\r", shows: "one two three"},
		{typed: "cat com\t\r", shows: "\ntext"},
		{typed: "ls \t\t", shows: "completed"},
		{typed: "\x03", shows: "^C"},
		{typed: "\x1b[A\x1b[A\r", shows: "\ntext"},
		{typed: "\x12wor", shows: "i-search"},
		{typed: "\r", shows: "\nworld"},
		{typed: "echo " + strings.Repeat("long ", 30) + "\x01\x1b[C\x1b[C\x1b[C\x1b[C\x1b[CX\x05Y\r", shows: "Xlong"},
		{typed: "echo here; cat\r", shows: "\nhere"}, {typed: "bad\x15god\x7f\x7food word\x17\x7f\n", shows: "good\ngood"},
		{typed: "a\tb\x7f\x7fc\x16\x03\x12", shows: "ac^C"}, {typed: "\n\x04"},
		{typed: "read -n 1 key; echo got $key\r"}, {typed: "k", shows: "got k"},
		{typed: "exit 3\r"},
	}},
	{name: "jobs", args: bash("-i"), steps: []keys{
		{typed: sleeper("run1"), shows: "\nrun1\n"}, {typed: "\x03", shows: "^C"},
		{typed: "echo $?\r", shows: "\n130"},
		{typed: sleeper("run2"), shows: "\nrun2\n"}, {typed: "\x1a", shows: "Stopped"},
		{typed: "sh -c 'echo piped; exec sleep 200' | cat\r", shows: "\npiped"}, {typed: "\x1a", shows: "[2]+"},
		{typed: "jobs; bg %1; jobs\r", shows: "Running"},
		{typed: "fg %2\r"}, {typed: "\x1c", shows: "Quit"},
		{typed: "clear\r", is: "$"}, {typed: "fg\r", shows: "run2"}, {typed: "\x03", shows: "^C"},
		{typed: "cat & " + untilStopped, shows: "Stopped"},
		{typed: "fg\r"}, {typed: "line\n", shows: "line\nline"}, {typed: "\x04"},
		{typed: "clear\r", is: "$"},
		{typed: "stty tostop; echo from behind & " + untilStopped, shows: "Stopped"},
		{typed: "fg\r", shows: "\nfrom behind"}, {typed: "stty -tostop\r"},
		{typed: "trap 'echo caught' INT; sh -c 'trap \"echo child; exit\" INT; sh -c \"echo here; exec sleep 100\"'\r", shows: "\nhere"}, {typed: "\x03", shows: "child"},
		{typed: "set +m; trap - INT; yes | head -c 1000000 | wc -c\r", shows: "\n1000000"},
		{typed: "exit\r"},
	}},
	{name: "attributes", args: bash("-i"), steps: []keys{
		{typed: "stty -a\r", shows: "-extproc"},
		{typed: "clear; stty -echo\r"}, {typed: "echo unseen\r", shows: "unseen"},
		{typed: "stty echo; stty size; tty | tr -s 0-9 N\r", shows: "/dev/pts/N"},
		{rows: 30, cols: 100, typed: "stty size; echo $LINES $COLUMNS\r", shows: "30 100"},
		{typed: "trap 'stty size' WINCH\r"}, {rows: 20, cols: 60, typed: "\r", shows: "20 60"},
		{typed: "stty raw min 0 time 1; dd bs=1 count=1 2>/dev/null | wc -c; stty sane; echo and on\r", shows: "and on\n$\n"},
		{typed: "clear\r", is: "$"}, {typed: "stty intr ^T; " + sleeper("run"), shows: "\nrun\n"}, {typed: "\x14", shows: "^T"},
		{typed: "stty intr ^C; printf 'a\\tb\\n' | cat > /dev/tty\r", shows: "a       b"},
		{typed: "ls -l /proc/self/fd/0 | sed 's/.*->//; s/[0-9]*$//'; test -t 0 && test -t 1 && echo yes\r", shows: "yes"},
		{typed: "ps -o pgid=,tpgid=,tty= | sed 's/[0-9]\\+/N/g; s/ \\+/ /g; s/^ //'\r", shows: "pts/N"},
		{typed: "exec 3<>/dev/ptmx; stty -F /dev/ptmx size; exec 3>&-\r"},
		{typed: "cat /proc/tty/drivers | grep pts; stat -c '%t %T' /dev/tty /dev/ptmx\r", shows: "5 2"},
		{typed: "exit\r"},
	}},
	{name: "dash", args: []string{"dash", "-i"}, steps: []keys{
		{typed: sleeper("run3"), shows: "\nrun3\n"}, {typed: "\x03", shows: "^C"},
		{typed: sleeper("run4"), shows: "\nrun4\n"}, {typed: "\x1a", shows: "Stopped"},
		{typed: "jobs; bg; fg\r", shows: "sleep 100"}, {typed: "\x1a", shows: "Stopped"},
		{typed: "kill %1; wait; fg; echo $?\r"},
		{typed: "\x04"},
	}},
	{name: "zsh", args: []string{"zsh", "-f"}, needs: []string{"zsh"}, steps: []keys{
		{typed: "PS1='$ '; unsetopt promptsp; clear\r"},
		{typed: sleeper("run5"), shows: "\nrun5\n"}, {typed: "\x1a", shows: "suspended"},
		{typed: "jobs; bg; fg\r", shows: "running"}, {typed: "\x03", shows: "^C"},
		{typed: "echo abc\x1b[D\x1b[DX\x05 def\r", shows: "aXbc def"},
		{typed: "exit\r"},
	}},
	{name: "python", args: []string{"python3", "-q"}, needs: []string{"python3"}, steps: []keys{
		{typed: "6*7\r", shows: "42"},
		{typed: "import sys\r"}, {typed: "sys.exi\t", shows: "sys.exit("},
		{typed: "\x15print('a' +\r'b')\r", shows: "\nab"},
		{typed: "input('name: ')\r", shows: "name: "}, {typed: "me\x7f\x7fyou\r", shows: "'you'"},
		{typed: "import time; print('here'); time.sleep(100)\r", shows: "\nhere"}, {typed: "\x03", shows: "KeyboardInterrupt"},
		{typed: "\x1b[A\x1b[A\x01#\r"},
		{typed: "\x04"},
	}},
	{name: "vim", args: []string{"vim", "-u", "NONE", "-i", "NONE", "-N", "file"}, needs: []string{"vim"}, files: map[string]string{"file": "one\ntwo\nthree\n"}, steps: []keys{
		{shows: "three"},
		{typed: "ddGoFOUR\x1b", shows: "FOUR"},
		{typed: ":2,3s/o/0/g\r", shows: "FOUR"},
		{typed: ":set number\r", shows: "1 "},
		{typed: ":!echo from shell\r", shows: "Press ENTER"}, {typed: "\r", shows: "FOUR"},
		{rows: 12, cols: 40, typed: "gg", shows: "1 two"},
		{typed: ":wq\r"},
	}},
	{name: "less", args: []string{"less", "text"}, needs: []string{"less"}, env: []string{"LESS=", "LESSHISTFILE=-"}, files: map[string]string{"text": numbered(500)}, steps: []keys{
		{shows: "line 23"},
		{typed: " ", shows: "line 46"},
		{typed: "G", shows: "line 500"},
		{typed: "/line 25$\rn", shows: "found"},
		{typed: "\rg", shows: "line 1\n"},
		{typed: "q"},
	}},
	{name: "tools", args: bash("-i"), needs: []string{"script", "top", "root"}, steps: []keys{
		{typed: "script -q -c 'echo inside; tty | tr -s 0-9 N; stty size' log; tail -n +2 log | head -3; echo A\r", shows: "\nA\n$\n"},
		{typed: "clear\r", is: "$"}, {typed: "top -d 100\r", shows: "COMMAND", loose: true}, {typed: "q", shows: "\n$\n", loose: true}, {typed: "clear\r", is: "$"},
		{typed: "mesg n; mesg; mesg y; mesg; who am i; echo B\r", shows: "\nB\n$\n"},
		{typed: "su -s /bin/sh daemon -c 'id -un; tty | tr -s 0-9 N; echo x > /dev/tty'; echo C\r", shows: "\nC\n$\n"},
		{typed: "su -s /bin/sh nobody\r", shows: "nobody\n$\n"}, {typed: sleeper("run6"), shows: "\nrun6\n"}, {typed: "\x03"},
		{typed: "exit\r", shows: "exit\n$\n"},
		{typed: "setsid -w sh -c 'echo x > /dev/tty'; setsid -w -c true < /dev/null; echo D\r", shows: "\nD\n$\n"},
		{typed: "nohup sleep 0 > /dev/null; tput cols; tput smcup; echo alternate; tput rmcup; echo E\r", shows: "\nE\n$\n"},
		{typed: "exit\r"},
	}},
	{name: "tmux", args: []string{"tmux", "-f", "/dev/null", "-L", "tine-test", "new", "bash --norc --noprofile"}, needs: []string{"tmux"}, steps: []keys{
		{shows: "$\n", loose: true},
		{typed: "tmux set -g default-command 'bash --norc --noprofile'; tmux set -g status off; clear\r"},
		{typed: "echo in tmux\r", shows: "\nin tmux"},
		{typed: "\x02%", shows: "│$"},
		{typed: sleeper("run"), shows: "│run"}, {typed: "\x03", shows: "^C"},
		{typed: "stty size\r", shows: "24 39"},
		{typed: "exit\r"},
		{typed: "tmux kill-server\r"},
	}},
}

func numbered(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "line %d\n", i+1)
	}
	return b.String()
}

// TestTerminals compares the screens. On tine each step ends once the screen is
// what it was natively.
func TestTerminals(t *testing.T) {
	for _, s := range sessions {
		t.Run(s.name, func(t *testing.T) {
			start(t)
			need(t, s.needs...)
			s.test(t)
		})
	}
}

// test compares. What a shell and its jobs show is a race between them now and
// then, natively too: a session that differs is held once more, with the host's
// screens taken anew, and what differs three times is a difference.
func (s *session) test(t *testing.T) {
	for try := 1; ; try++ {
		err := s.compare(t)
		if err == nil {
			return
		}
		if try == 3 {
			t.Fatal(err)
		}
		t.Logf("held once more, since %v", err)
	}
}

func (s *session) compare(t *testing.T) error {
	dir := scratch(t)
	r := run{args: s.args, dir: dir, timeout: 5 * time.Minute}
	r.env = append([]string{"TERM=xterm", "PS1=$ ", "HISTFILE=", "INPUTRC=/dev/null", "LC_ALL=C.UTF-8", "SHELL=/bin/sh", "TMUX_TMPDIR=" + dir}, s.env...)
	fill(t, dir, s.files)
	native, err := s.natively(t, r)
	if err != nil || size == "native" {
		return err
	}
	files := snapshot(t, dir, []string{"log", "tmux-*"})
	fill(t, dir, s.files)
	if err := s.onTine(t, r, native); err != nil {
		return err
	}
	if d := cmp.Diff(files, snapshot(t, dir, []string{"log", "tmux-*"})); d != "" {
		return fmt.Errorf("files written differ (- native, + tine):\n%s", d)
	}
	return nil
}

// seen is what a session shows: the screen after each step, and the exit code.
type seen struct {
	screens []string
	code    int
}

// natively does it on the host.
func (s *session) natively(t *testing.T, r run) (n seen, err error) {
	cmd := exec.Command(s.args[0], s.args[1:]...)
	cmd.Env, cmd.Dir = r.environ(), r.dir
	p := ptytest.Start(t, cmd, rows, cols)
	defer p.Process().Kill()
	p.WaitFor(10*time.Second, func(screen string) bool { return screen != "" })
	p.Settle(150 * time.Millisecond)
	for i, k := range s.steps {
		s.act(p, k)
		if !p.WaitFor(20*time.Second, k.done) {
			return n, fmt.Errorf("natively, step %d (%q) does not show %q:\n%s", i, k.typed, k.shows+k.is, p.Screen())
		}
		p.Settle(200 * time.Millisecond)
		n.screens = append(n.screens, p.Screen())
	}
	n.code = p.Wait(10 * time.Second)
	return n, nil
}

// onTine does it on tine, step by step until the screen is that of the host.
func (s *session) onTine(t *testing.T, r run, native seen) error {
	bin, err := tineBinary()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, r.tineArgs(append(r.flags, "-it"))...)
	cmd.Env, cmd.Dir = hostEnviron(), r.dir
	p := ptytest.Start(t, cmd, rows, cols)
	defer p.Process().Kill()
	p.WaitFor(time.Minute, func(screen string) bool { return screen != "" })
	for i, k := range s.steps {
		s.act(p, k)
		want := alike(native.screens[i])
		like := func(screen string) bool {
			if k.loose {
				return k.done(screen)
			}
			return alike(screen) == want
		}
		if !p.WaitFor(time.Minute, like) {
			return fmt.Errorf("step %d (%q) differs (- native, + tine):\n%s", i, k.typed,
				cmp.Diff(strings.Split(want, "\n"), strings.Split(alike(p.Screen()), "\n")))
		}
		p.Settle(100 * time.Millisecond) // not every program shows when it is ready for keys
	}
	if code := p.Wait(20 * time.Second); code != native.code {
		return fmt.Errorf("exit code: native %d, tine %d", native.code, code)
	}
	return nil
}

func (s *session) act(p *ptytest.Terminal, k keys) {
	if k.rows != 0 {
		p.Resize(k.rows, k.cols)
		p.Settle(150 * time.Millisecond)
	}
	p.Type(k.typed)
}

// jobNumber is a process number in what shells say of jobs.
var jobNumber = regexp.MustCompile(`(\[\d+\] +|job \d+\[)\d+\b`)

// alike takes out of a screen what differs from run to run.
func alike(screen string) string { return jobNumber.ReplaceAllString(screen, "${1}PID") }
