package kernel

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// kernelSide are the packages that run with the kernel lock held.
var kernelSide = []string{"../kernel", "../mm", "../vfs", "../fs", "../net", "../ipc", "../tty"}

// hostSide are the files among them that meet the host, and may therefore
// start goroutines or look at its clock.
var hostSide = map[string]bool{
	"../kernel/vcpu.go":    true, // the processors
	"../kernel/machine.go": true, // starts them
}

// TestNothingUndecided looks for what would make one run differ from another:
// the host's clock, random numbers, goroutines, channels.
func TestNothingUndecided(t *testing.T) {
	for _, dir := range kernelSide {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				if path == dir {
					return nil // not there yet
				}
				return err
			}
			name := filepath.ToSlash(path)
			if d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") || hostSide[name] ||
				strings.Contains(name, "/fstest/") {
				return nil
			}
			checkFile(t, path)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func checkFile(t *testing.T, path string) {
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, imp := range file.Imports {
		if p, _ := strconv.Unquote(imp.Path.Value); strings.HasPrefix(p, "math/rand") || p == "crypto/rand" {
			t.Errorf("%s: imports %s", path, p)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		what := ""
		switch n := n.(type) {
		case *ast.GoStmt:
			what = "a goroutine"
		case *ast.SelectStmt:
			what = "a select"
		case *ast.ChanType:
			what = "a channel"
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && x.Name == "time" && (n.Sel.Name == "Now" || n.Sel.Name == "Since" || n.Sel.Name == "Sleep") {
				what = "the host's clock"
			}
		}
		if what != "" {
			t.Errorf("%s: %s", fset.Position(n.Pos()), what)
		}
		return true
	})
}
