//go:build linux && amd64

package oracle

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/tinevm/tine/internal/oracle/model"
)

// TestModelTable checks that every guest program belongs to the rows its first
// line names, and that the table names no program that is not there.
func TestModelTable(t *testing.T) {
	sources, err := filepath.Glob(filepath.Join(moduleRoot(), "testdata/guest/*.c"))
	if err != nil || len(sources) == 0 {
		t.Fatalf("no guest programs: %v", err)
	}
	rows := map[string][]string{} // test → rows
	for _, row := range model.Rows {
		for _, st := range row.Statements {
			if len(st.Tests) == 0 {
				t.Errorf("%s: %s: no test", row.Name, st.Text)
			}
			for _, test := range st.Tests {
				rows[test] = append(rows[test], row.Name)
			}
		}
	}
	for _, src := range sources {
		test := "TestGuests/" + strings.TrimSuffix(filepath.Base(src), ".c")
		b, err := os.ReadFile(src)
		if err != nil {
			t.Fatal(err)
		}
		named, _, _ := strings.Cut(strings.TrimPrefix(string(b), "// "), ": ")
		for _, row := range strings.Split(named, ", ") {
			if !slices.Contains(rows[test], row) {
				t.Errorf("%s: its first line names %s, the table has it in %q", test, row, rows[test])
			}
		}
		delete(rows, test)
	}
	for test := range rows {
		if strings.HasPrefix(test, "TestGuests/") {
			t.Errorf("the table names %s, which is not there", test)
		}
	}
}

// TestModelPage checks that the page is what the table and the recorded
// results make of it.
func TestModelPage(t *testing.T) {
	b, err := os.ReadFile("model/results.txt")
	if err != nil {
		t.Fatal(err)
	}
	results, err := model.ReadResults(strings.NewReader(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(moduleRoot(), "docs/process-model.md"))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(model.Page(results)), string(page)); d != "" {
		t.Errorf("docs/process-model.md is stale: go generate ./internal/oracle/model, or make model\n%s", d)
	}
}
