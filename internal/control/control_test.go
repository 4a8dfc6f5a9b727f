//go:build unix

package control

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tinevm/tine"
)

// runtimeDir gives the test a runtime folder of its own, with a path short
// enough for sockets.
func runtimeDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "ctl")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("XDG_RUNTIME_DIR", dir)
	return filepath.Join(dir, "tine")
}

func TestFolderMustBePrivate(t *testing.T) {
	for name, make := range map[string]func(dir string) error{
		"open to others": func(dir string) error { return errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o710)) },
		"a file":         func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"a link":         func(dir string) error { return os.Symlink(filepath.Dir(dir), dir) },
		"somebody's": func(dir string) error {
			if os.Getuid() != 0 {
				return os.WriteFile(dir, nil, 0o600) // only root can give it away
			}
			return errors.Join(os.Mkdir(dir, 0o700), os.Chown(dir, 12345, 12345))
		},
	} {
		t.Run(name, func(t *testing.T) {
			if err := make(runtimeDir(t)); err != nil {
				t.Fatal(err)
			}
			if s, err := Listen("x"); err == nil {
				s.Close()
				t.Error("the folder was taken")
			} else if !strings.Contains(err.Error(), "only you can open") {
				t.Error(err)
			}
			if _, err := Names(); err == nil {
				t.Error("the folder was read")
			}
		})
	}
}

func TestNames(t *testing.T) {
	dir := runtimeDir(t)
	for _, bad := range []string{"1x", "-x", "a b", "a/b", "..", strings.Repeat("x", 64)} {
		if s, err := Listen(bad); err == nil {
			s.Close()
			t.Errorf("%q is a name", bad)
		}
	}
	if names, err := Names(); err != nil || names != nil {
		t.Errorf("%q, %v before anything is there", names, err)
	}
	// A socket that nobody listens at any more, as a killed tine leaves it.
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	leave := func(name string) {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(dir, name+socketSuffix)})
		if err != nil {
			t.Fatal(err)
		}
		l.SetUnlinkOnClose(false)
		l.Close()
	}
	leave("dead")
	leave("again")
	s, err := Listen("again")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen("again"); !errors.As(err, new(*InUseError)) {
		t.Errorf("a second machine of that name: %v", err)
	}
	if name, err := Find(""); name != "again" {
		t.Errorf("the only machine is %q, %v", name, err)
	}
	if _, err := os.Lstat(filepath.Join(dir, "dead.sock")); err == nil {
		t.Error("the dead socket is still there")
	}
	s.Close()
	if names, _ := Names(); len(names) != 0 {
		t.Errorf("after the end there is %q", names)
	}
}

// TestOneWins: of many that want a name at once, over a dead socket, one gets
// it.
func TestOneWins(t *testing.T) {
	runtimeDir(t)
	var mu sync.Mutex
	var won []*Server
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			s, err := Listen("x")
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				won = append(won, s)
			} else if !errors.As(err, new(*InUseError)) {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if len(won) != 1 {
		t.Errorf("%d have the name", len(won))
	}
	for _, s := range won {
		s.Close()
	}
}

func TestPathTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 100))
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", dir)
	if _, err := Listen("x"); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("%v", err)
	}
}

// machine serves one whose main program is "cat", and gives its name.
func machine(t *testing.T) string {
	t.Helper()
	runtimeDir(t)
	s, err := Listen("")
	if err != nil {
		t.Fatal(err)
	}
	m, err := tine.New(tine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	in, hold := io.Pipe()
	cmd := m.Command(context.Background(), "cat")
	cmd.Stdin = in
	if err := cmd.Start(); err != nil {
		t.Skip(err)
	}
	s.Serve(m, cmd, []string{"PATH=/usr/bin:/bin", "A=1"}, "test")
	t.Cleanup(func() {
		s.Close()
		hold.Close()
		if err := errors.Join(cmd.Wait(), m.Close()); err != nil {
			t.Error(err)
		}
	})
	return s.Name
}

func TestExec(t *testing.T) {
	name := machine(t)
	var out, errOut bytes.Buffer
	text := strings.Repeat("some lines\n", 30000)
	s, err := Start(name, &Exec{Argv: []string{"sh", "-c", `echo $A$B >&2; cat; exit 4`}, Env: []string{"B=2"}}, strings.NewReader(text), &out, &errOut)
	if err != nil {
		t.Fatal(err)
	}
	code, err := s.Wait()
	if code != 4 || err != nil || out.String() != text || errOut.String() != "12\n" {
		t.Errorf("code %d, %v; %d bytes of output, %q", code, err, out.Len(), errOut.String())
	}
	var refused *Error
	if _, err := Start(name, &Exec{Argv: []string{"nosuch"}}, nil, &out, &errOut); !errors.As(err, &refused) || refused.Code != ExitNotFound {
		t.Errorf("nosuch: %v", err)
	}
}

// TestMany: clients do not disturb each other.
func TestMany(t *testing.T) {
	name := machine(t)
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			var out bytes.Buffer
			s, err := Start(name, &Exec{Argv: []string{"sh", "-c", fmt.Sprintf("read x; echo %d $x; kill -%d $$", i, i+1)}}, strings.NewReader("in\n"), &out, io.Discard)
			if err != nil {
				t.Error(err)
				return
			}
			Processes(name)
			code, err := s.Wait()
			if out.String() != fmt.Sprintf("%d in\n", i) || code != 128+i+1 || err != nil {
				t.Errorf("%d: %q, code %d, %v", i, out.String(), code, err)
			}
		})
	}
	wg.Wait()
}

// TestClientGone: a program whose client has gone is hung up.
func TestClientGone(t *testing.T) {
	name := machine(t)
	r, w := io.Pipe()
	s, err := Start(name, &Exec{Argv: []string{"sh", "-c", "echo up; exec sleep 1000"}}, nil, w, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	go s.Wait()
	r.Read(make([]byte, 3))
	s.w.conn.Close()
	for range 1000 {
		list, err := Processes(name)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 2 { // PID 1 and cat
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	t.Error("the program is still there")
}

// TestWrongRequests: what is no request, or one of another version, gets an
// error and harms nobody.
func TestWrongRequests(t *testing.T) {
	name := machine(t)
	dir, _ := folder(false)
	for _, tt := range []struct{ send, want string }{
		{`{"version":9,"op":"ps"}` + "\n", `speaks version 1 of the protocol, not 9`},
		{`{"version":1,"op":"frob"}` + "\n", `cannot do \"frob\"`},
		{`{"version":1,"op":"exec"}` + "\n", `cannot do \"exec\"`},
		{`{"version":1,"op":"exec","exec":{"argv":[]}}` + "\n", `cannot do \"exec\"`},
		{`{"version":1,"op":"signal","pids":[1,-5],"signal":99}` + "\n", `there is no such signal`},
		{"nonsense\n", ""},
	} {
		conn, err := net.Dial("unix", filepath.Join(dir, name+socketSuffix))
		if err != nil {
			t.Fatal(err)
		}
		io.WriteString(conn, tt.send)
		b, _ := io.ReadAll(conn)
		if !strings.Contains(string(b), tt.want) || tt.want == "" && len(b) != 0 {
			t.Errorf("%q: %q, want %q", tt.send, b, tt.want)
		}
		conn.Close()
	}
	// A frame that is too long ends the program it is for.
	s, err := Start(name, &Exec{Argv: []string{"sleep", "1000"}}, nil, io.Discard, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	head := binary.BigEndian.AppendUint32([]byte{'i'}, maxFrame+1)
	s.w.conn.Write(head)
	if code, err := s.Wait(); code != 128+int(syscall.SIGHUP) || err != nil {
		t.Errorf("code %d, %v; want that of SIGHUP", code, err)
	}
	if _, err := Describe(name); err != nil {
		t.Error(err)
	}
}

func TestMergeEnv(t *testing.T) {
	got := MergeEnv([]string{"A=1", "B=2", "AB=3"}, []string{"A", "C=4", "B=5"})
	if want := "B=2 AB=3 C=4 B=5"; strings.Join(got, " ") != want {
		t.Errorf("%q, want %s", got, want)
	}
}
