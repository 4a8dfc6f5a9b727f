//go:build linux && amd64

package interp

import (
	"testing"

	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x86/x86test"
)

// TestRandomPrograms runs programs of random instructions from the table, with
// branches among them, by single steps and in blocks.
func TestRandomPrograms(t *testing.T) {
	w := newWorld(t)
	g := newGenerator(*hwSeed)
	var templates []x86test.Template
	for _, row := range x86.Rows() {
		templates = append(templates, x86test.ParseTemplate(row.Enc))
	}
	programs, length := 20**hwCases, int64(0)
	for range programs {
		var code []byte
		for len(code) < 120 {
			code = append(code, g.any(templates)...)
		}
		start := uint64(200)
		if g.Intn(4) == 0 {
			start = mm.PageSize - uint64(g.Intn(80))
		}
		d, n := w.compare(t, g.Uint64(), start, code)
		if length += n; d != "" {
			t.Fatalf("% x at %#x: %s", code, start, d)
		}
	}
	t.Logf("%d programs, %d instructions", programs, length)
}

// any makes an instruction. Most have a short form that is joined with others.
func (g generator) any(templates []x86test.Template) []byte {
	switch g.Intn(8) {
	case 0, 1:
		return g.filler()
	case 2:
		return g.second()
	case 3: // a comparison and a branch, not far
		return []byte{0x48, 0x83, 0xf8 | byte(g.Intn(8)), byte(g.Uint32()), 0x70 | byte(g.Intn(16)), byte(g.Intn(60) - 30)}
	case 4: // RSI, RDI or RBX to the data
		r := []byte{6, 7, 3}[g.Intn(3)]
		b := []byte{0xb8 | r, 0, 0, 0, 0}
		putInt32(b[1:], worldData+uint64(g.Intn(worldSize)))
		return b
	}
	for {
		i := g.Intn(len(templates))
		row := x86.Rows()[i]
		if stops(row.Op) && g.Intn(8) > 0 {
			continue
		}
		b, _ := g.Instance(row, templates[i])
		in, err := x86.Decode(b)
		if err != nil {
			continue
		}
		if in.Mem && !in.RIPRel && in.Base != x86.NoReg && g.Intn(4) > 0 {
			// MOV base, address: most memory operands should be there.
			m := []byte{0x48 | in.Base>>3, 0xb8 | in.Base&7, 0, 0, 0, 0, 0, 0, 0, 0}
			putInt32(m[2:], worldData+uint64(g.Intn(worldSize))-uint64(in.Disp))
			return append(m, b[:in.Len]...)
		}
		return b[:in.Len]
	}
}

// stops says that an operation is likely to end the program.
func stops(op x86.Op) bool {
	switch op {
	case x86.SYSCALL, x86.INT, x86.INT1, x86.INT3, x86.UD, x86.PRIV, x86.IOPRIV, x86.RETF, x86.IRET, x86.JMPIND, x86.CALLIND, x86.RETN, x86.RET:
		return true
	}
	return false
}
