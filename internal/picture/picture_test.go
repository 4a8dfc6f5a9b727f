package picture

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/tinevm/tine"
)

// script is a small life: a shell forks two children; the second is killed,
// the first ends after its own child, which goes to PID 1.
var script = []tine.Event{
	{Time: 1000, Kind: "fork", PID: 1, TID: 1, Comm: "init", Target: 2, Parent: 1},
	{Time: 2000, Kind: "exec", PID: 2, TID: 2, Comm: "sh", Path: "/bin/sh", Args: []string{"/bin/sh", "-c", "a <b> &\n\x1b[31m"}},
	{Time: 2500, Kind: "switch", PID: 2, TID: 2, Comm: "sh"},
	{Time: 3000, Kind: "fork", PID: 2, TID: 2, Comm: "sh", Target: 3, Parent: 2},
	{Time: 3100, Kind: "switch", PID: 3, TID: 3, Comm: "sh", Target: 2, State: "R"},
	{Time: 4000, Kind: "cow", PID: 3, TID: 3, Comm: "sh", Addr: 0x1000, Source: "memory"},
	{Time: 5000, Kind: "fork", PID: 3, TID: 3, Comm: "sh", Target: 4, Parent: 3},
	{Time: 5500, Kind: "fork", PID: 3, TID: 3, Comm: "sh", Target: 5, Thread: true},
	{Time: 6000, Kind: "switch", PID: 2, TID: 2, Comm: "sh", Target: 3, State: "S", Syscall: "read"},
	{Time: 7000, Kind: "fork", PID: 2, TID: 2, Comm: "sh", Target: 6, Parent: 2},
	{Time: 8000, Kind: "signal", PID: 6, TID: 6, Comm: "sh", Signal: 15, Target: 2},
	{Time: 8100, Kind: "deliver", PID: 6, TID: 6, Comm: "sh", Signal: 15, Action: "end"},
	{Time: 8200, Kind: "exit", PID: 6, TID: 6, Comm: "sh", Status: 15, Last: true, Parent: 2},
	{Time: 9000, Kind: "exit", PID: 3, TID: 5, Comm: "sh", Parent: 2},
	{Time: 9100, Kind: "exit", PID: 3, TID: 3, Comm: "sh", Status: 0x300, Last: true, Parent: 2},
	{Time: 9100, Kind: "reparent", PID: 4, TID: 4, Comm: "sh", Target: 3, Parent: 1},
	{Time: 9500, Kind: "reap", PID: 2, TID: 2, Comm: "sh", Target: 3, Status: 0x300},
	{Time: 9600, Kind: "reap", PID: 2, TID: 2, Comm: "sh", Target: 6, Status: 15},
	{Time: 9900, Kind: "switch", Target: 2, State: "S", Syscall: "wait4"},
}

func draw(t testing.TB, events []tine.Event) string {
	t.Helper()
	f := NewFamily()
	for i := range events {
		f.Event(&events[i])
	}
	var b strings.Builder
	if err := f.Draw(&b); err != nil {
		t.Fatal(err)
	}
	for d := xml.NewDecoder(strings.NewReader(b.String())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("not XML: %v", err)
		}
	}
	return b.String()
}

func TestFamily(t *testing.T) {
	svg := draw(t, script)
	for _, want := range []string{
		"5 processes, 8.9µs, 0 instructions, 1 pages copied on write",
		">pid 1 init<", ">pid 3 sh<", ">pid 4 sh<",
		">pid 2<", // its program stands beside it, since it execs at once
		`sh -c a &lt;b&gt; &amp;↵\033[31m`,
		">exit 3<", ">SIGTERM<", ">parent is now 1<",
		"3: fork makes 4", "thread 5", "reaped by 2", "SIGTERM from 2", "exit status 3",
	} {
		if !strings.Contains(svg, want) {
			t.Errorf("the picture has no %q", want)
		}
	}
	if strings.ContainsAny(svg, "\x1b") || strings.Contains(svg, "<b>") {
		t.Error("a guest's text is not escaped")
	}
	if draw(t, script) != svg {
		t.Error("the same events give another picture")
	}
}

func TestFamilyIsBounded(t *testing.T) {
	f := NewFamily()
	for pid := 2; pid < maxProcesses+500; pid++ {
		f.Event(&tine.Event{Kind: "fork", PID: 1, TID: 1, Target: pid})
		f.Event(&tine.Event{Kind: "exit", PID: pid, TID: pid, Last: true})
		f.Event(&tine.Event{Kind: "reap", PID: 1, TID: 1, Target: pid})
	}
	var b strings.Builder
	if err := f.Draw(&b); err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%d processes,", maxProcesses); !strings.Contains(b.String(), want) || !strings.Contains(b.String(), "; 499 more") {
		t.Error("the number of processes left out is not told")
	}
	if len(f.living) != 1 {
		t.Errorf("%d processes are remembered, want PID 1 alone", len(f.living))
	}
}

// TestFamilyForgets: one process that does much takes no more than its share.
func TestFamilyForgets(t *testing.T) {
	f := NewFamily()
	for i := range maxMoments + 1000 {
		f.Event(&tine.Event{Time: int64(i), Kind: "signal", PID: 1, TID: 1, Signal: 10})
	}
	var b strings.Builder
	if err := f.Draw(&b); err != nil || len(f.moments) != maxMoments || !strings.Contains(b.String(), "only the first 50000 events") {
		t.Errorf("%d moments, %v", len(f.moments), err)
	}
}

// TestBranchesDoNotCross: whatever the order of births and ends, no branch goes
// through another's line, and no two lines share a place.
func TestBranchesDoNotCross(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := NewFamily()
		alive, next := []int{1}, 2
		for now := range rapid.IntRange(1, 40).Draw(t, "events") {
			i := rapid.IntRange(0, len(alive)-1).Draw(t, "who")
			pid := alive[i]
			e := tine.Event{Time: int64(now) * 1000, PID: pid, TID: pid}
			if pid != 1 && rapid.Bool().Draw(t, "ends") {
				e.Kind, e.Last = "exit", true
				f.Event(&e)
				alive = append(alive[:i], alive[i+1:]...)
				if rapid.Bool().Draw(t, "reaped") {
					f.Event(&tine.Event{Time: e.Time, Kind: "reap", PID: 1, TID: 1, Target: pid})
				}
				continue
			}
			e.Kind, e.Target = "fork", next
			f.Event(&e)
			alive = append(alive, next)
			next++
		}
		f.layOut()
		for i, p := range f.all {
			for _, q := range f.all[i+1:] {
				if p.lane.row == q.lane.row && p.lane.x0 < q.lane.x1 && q.lane.x0 < p.lane.x1 {
					t.Fatalf("%d and %d overlap in row %d", p.pid, q.pid, p.lane.row)
				}
			}
			if p.parent == nil {
				continue
			}
			for _, q := range f.all {
				if q.lane.row > p.parent.lane.row && q.lane.row < p.lane.row && q.lane.x0 < p.lane.x0 && p.lane.x0 < q.lane.x1 {
					t.Fatalf("the branch of %d crosses %d", p.pid, q.pid)
				}
			}
		}
	})
}

func TestTimeline(t *testing.T) {
	var b bytes.Buffer
	tl := NewTimeline(&b)
	for i := range script {
		tl.Event(&script[i])
	}
	if err := tl.Close(); err != nil {
		t.Fatal(err)
	}
	var file struct {
		TraceEvents []struct {
			Ph, Name string
			PID, TID int
			Ts, Dur  float64
		}
	}
	if err := json.Unmarshal(b.Bytes(), &file); err != nil {
		t.Fatal(err)
	}
	var spans []string
	busy := make(map[[2]int]float64) // end of the last span of each track
	for _, e := range file.TraceEvents {
		if e.Ph != "X" {
			continue
		}
		track := [2]int{e.PID, e.TID}
		if e.Ts < busy[track] {
			t.Errorf("%s at %v of track %v overlaps with what was before", e.Name, e.Ts, track)
		}
		busy[track] = math.Round((e.Ts+e.Dur)*1000) / 1000
		spans = append(spans, fmt.Sprintf("%d/%d %s %.1f-%.1f", e.PID, e.TID, e.Name, e.Ts, busy[track]))
	}
	want := `2/2 new 1.0-2.5
0/0 sh 2 2.5-3.1
2/2 running 2.5-3.1
3/3 new 3.0-3.1
0/0 sh 3 3.1-6.0
3/3 running 3.1-6.0
2/2 ready 3.1-6.0
6/6 new 7.0-8.2
3/5 new 5.5-9.0
3/3 read 6.0-9.1
3/3 zombie 9.1-9.5
6/6 zombie 8.2-9.6
0/0 sh 2 6.0-9.9
2/2 running 6.0-9.9
2/2 wait4 9.9-9.9
4/4 new 5.0-9.9`
	if got := strings.Join(spans, "\n"); got != want {
		t.Errorf("spans\n%s\nwant\n%s", got, want)
	}
	for _, arrow := range []string{"fork", "SIGTERM", "reap"} {
		if !strings.Contains(b.String(), `"ph":"s","cat":"flow","name":"`+arrow+`"`) {
			t.Errorf("no arrow for %s", arrow)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain ü": "plain ü", "a\x1b[0mb": `a\033[0mb`, "\xff\n": `\377\012`, "\u200f": `\342\200\217`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}
