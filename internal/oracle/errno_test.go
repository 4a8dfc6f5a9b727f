//go:build linux && amd64

package oracle

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// errnoVariant is how the error tables are linked: the library does not matter
// to system calls made by number.
var errnoVariant = variant{"errno", "gcc", []string{"-static", "-pthread"}, true}

// minErrnoRows is what all tables together must have, so that none gets lost.
const minErrnoRows = 1000

// errnoRow is one row in a table's source.
var errnoRow = regexp.MustCompile(`(?m)^\t+(E|C3)\(`)

// TestErrnos makes the wrong system calls of testdata/errno natively and on
// tine: each row must give the same error.
func TestErrnos(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(moduleRoot(), "testdata/errno/*.c"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no error tables: %v", err)
	}
	inSources := 0
	for _, src := range sources {
		b, err := os.ReadFile(src)
		if err != nil {
			t.Fatal(err)
		}
		inSources += len(errnoRow.FindAll(b, -1))
		name := strings.TrimSuffix(filepath.Base(src), ".c")
		t.Run(name, func(t *testing.T) {
			start(t)
			for _, n := range directives(t, src) {
				need(t, n)
			}
			need(t, errnoVariant.cc)
			compareErrnos(t, name, compile(t, src, errnoVariant))
		})
	}
	if inSources < minErrnoRows {
		t.Errorf("%d rows in the sources, want %d", inSources, minErrnoRows)
	}
}

func compareErrnos(t *testing.T, name, bin string) {
	dir := scratch(t)
	r := run{args: []string{bin}, dir: dir, show: []string{filepath.Dir(bin)}, timeout: guestTimeout()}
	fill(t, dir, nil)
	native := r.native(t)
	if native.Code != 0 {
		t.Fatalf("native run failed with %d\n%s%s", native.Code, native.Stdout, native.Stderr)
	}
	rows := strings.Split(strings.TrimSpace(native.Stdout), "\n")
	seen := map[string]bool{}
	for _, row := range rows {
		call, answer, ok := strings.Cut(row, " -> ")
		switch {
		case !ok:
			t.Fatalf("a line that is no row: %q", row)
		case seen[call]:
			t.Errorf("two rows %q", call)
		case answer == "ENOSYS" && !strings.HasPrefix(call, "futex: "):
			// Of futex's operations ENOSYS is the documented answer.
			t.Errorf("%s: the host's kernel lacks the call: no row for the table", row)
		}
		seen[call] = true
	}
	if size == "native" {
		return
	}
	fill(t, dir, nil)
	tine := r.onTine(t)
	got := strings.Split(strings.TrimSpace(tine.Stdout), "\n")
	if tine.Code != 0 || len(got) != len(rows) {
		t.Errorf("tine: status %d and %d rows of %d\n%s", tine.Code, len(got), len(rows), tine.Stderr)
	}
	for i := range min(len(rows), len(got)) {
		call, want, _ := strings.Cut(rows[i], " -> ")
		gotCall, answer, _ := strings.Cut(got[i], " -> ")
		why, gap := errnoGaps[name+"/"+call]
		switch {
		case gotCall != call:
			t.Fatalf("row %d: native %q, tine %q", i, rows[i], got[i])
		case gap && answer == want:
			t.Errorf("%s: tine gives %s as Linux does: take it off the list of gaps", call, want)
		case gap:
			t.Logf("known gap: %s: native %s, tine %s: %s", call, want, answer, why)
		case answer != want:
			t.Errorf("%s: native %s, tine %s", call, want, answer)
		}
	}
	t.Logf("%d rows", len(rows))
}
