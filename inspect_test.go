//go:build linux && amd64

package tine_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tinevm/tine"
)

func ExampleMachine_Processes() {
	m, err := tine.New(tine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	cmd := m.Command(context.Background(), "sh", "-c", "sleep 1000 & sleep 0.2; echo started; wait")
	out, started := io.Pipe()
	cmd.Stdout = started
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	bufio.NewReader(out).ReadString('\n')
	for _, p := range m.Processes() {
		fmt.Println(p.PID, p.PPID, p.Comm)
	}
	// Output:
	// 1 0 init
	// 2 1 sh
	// 3 2 sleep
}

func ExampleMachine_Signal() {
	m, err := tine.New(tine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	cmd := m.Command(context.Background(), "sleep", "1000")
	if err := cmd.Start(); err != nil {
		log.Fatal(err)
	}
	fmt.Println(m.Signal(cmd.PID, syscall.SIGTERM))
	fmt.Println(cmd.Wait())
	fmt.Println(m.Signal(cmd.PID, 0))
	// Output:
	// <nil>
	// signal: Terminated
	// tine: signal process 2: no such process
}

// start starts a script whose first line of output says that it is ready.
func start(t *testing.T, m *tine.Machine, argv ...string) *tine.Cmd {
	t.Helper()
	cmd := m.Command(context.Background(), argv[0], argv[1:]...)
	r, w := io.Pipe()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "ready\n" {
		t.Fatalf("%q, %v", line, err)
	}
	go io.Copy(io.Discard, r)
	return cmd
}

func newMachine(t *testing.T, cfg tine.Config) *tine.Machine {
	t.Helper()
	m, err := tine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// find waits for the process that fulfils ok: states settle when the tasks
// have run that far.
func find(t *testing.T, m *tine.Machine, what string, ok func(p *tine.Process) bool) *tine.Process {
	t.Helper()
	for range 10000 {
		list := m.Processes()
		if i := slices.IndexFunc(list, func(p tine.Process) bool { return ok(&p) }); i >= 0 {
			return &list[i]
		}
		m.Command(context.Background(), "true").Run()
	}
	t.Fatalf("there is no process that is %s", what)
	return nil
}

// TestProcesses looks at a process, its threads, and a zombie.
func TestProcesses(t *testing.T) {
	m := newMachine(t, tine.Config{Dir: "/usr", User: &tine.User{UID: 5, GID: 6}})
	const script = `
import os, threading, time
os.nice(3)
if os.fork() == 0: os._exit(7)
e = threading.Event()
threading.Thread(target=e.wait, daemon=True).start()
x = bytearray(20 << 20)
print("ready", flush=True)
time.sleep(1000)`
	cmd := start(t, m, "/usr/bin/python3", "-c", script, "an argument")
	p := find(t, m, "asleep", func(p *tine.Process) bool { return p.PID == cmd.PID && p.Wchan == "clock_nanosleep" })
	want := tine.Process{
		PID: cmd.PID, PPID: 1, PGID: cmd.PID, SID: 1, UID: 5, GID: 6, State: "S", Comm: "python3", Cwd: "/usr",
		Cmdline: []string{"/usr/bin/python3", "-c", script, "an argument"}, Nice: 3, Policy: "OTHER", Wchan: "clock_nanosleep",
	}
	got := *p
	got.Exe, got.Threads, got.Size, got.RSS, got.Shared, got.Private = "", nil, 0, 0, 0, 0
	got.UserTime, got.SystemTime, got.Start = 0, 0, 0
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if !strings.HasPrefix(p.Exe, "/usr/bin/python3") || len(p.Threads) != 2 || p.Threads[0].TID != p.PID || p.Threads[1].State != "S" {
		t.Errorf("exe %q, threads %+v", p.Exe, p.Threads)
	}
	if p.RSS < 20<<20 || p.Private < 20<<20 || p.Shared+p.Private != p.RSS || p.Size < p.RSS || p.UserTime == 0 {
		t.Errorf("size %d, rss %d = shared %d + private %d, utime %d", p.Size, p.RSS, p.Shared, p.Private, p.UserTime)
	}
	z := find(t, m, "a zombie", func(p *tine.Process) bool { return p.State == "Z" })
	if z.PPID != cmd.PID || z.Comm != "python3" || z.Cmdline != nil || z.RSS != 0 || z.Start <= p.Start {
		t.Errorf("the zombie is %+v", z)
	}
}

// TestProcessJSON: the names are what others rely on.
func TestProcessJSON(t *testing.T) {
	b, err := json.Marshal(tine.Process{Threads: []tine.Thread{{}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"pid":0,"ppid":0,"pgid":0,"sid":0,"uid":0,"gid":0,"state":"","comm":"","cmdline":null,"exe":"","cwd":"","tty":"",` +
		`"threads":[{"tid":0,"comm":"","state":""}],"size":0,"rss":0,"shared":0,"private":0,"utime_ns":0,"stime_ns":0,` +
		`"nice":0,"policy":"","rt_priority":0,"start_ns":0,"wchan":""}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

// TestSignalFromOutside: wrong numbers, absent processes, job control.
func TestSignalFromOutside(t *testing.T) {
	m := newMachine(t, tine.Config{})
	cmd := start(t, m, "sh", "-c", `trap 'exit 5' USR1; echo ready; while :; do sleep 1000 & wait; done`)
	if err := m.Signal(cmd.PID, 65); err == nil {
		t.Error("signal 65 exists")
	}
	for _, pid := range []int{-1, 0, 4000} {
		if err := m.Signal(pid, 0); !errors.Is(err, tine.ErrNoProcess) {
			t.Errorf("pid %d: %v", pid, err)
		}
	}
	for _, step := range []struct {
		sig   syscall.Signal
		state string
	}{{19, "T"}, {18, "S"}} {
		if err := m.Signal(cmd.PID, step.sig); err != nil {
			t.Fatal(err)
		}
		find(t, m, "in state "+step.state, func(p *tine.Process) bool { return p.PID == cmd.PID && p.State == step.state })
	}
	if err := m.Signal(cmd.PID, 10); err != nil {
		t.Fatal(err)
	}
	var ee *tine.ExitError
	if err := cmd.Wait(); !errors.As(err, &ee) || ee.ExitCode() != 5 {
		t.Errorf("ended with %v, want exit status 5", err)
	}
}
