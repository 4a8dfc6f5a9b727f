package jit

import (
	"debug/elf"
	"testing"
	"time"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// shellText is the code of the host's shell, no more than n bytes.
func shellText(b *testing.B, n int) []byte {
	f, err := elf.Open("/bin/bash")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		b.Fatal(err)
	}
	return text[:min(len(text), n)]
}

// mapped is an address space that has code at an address.
func mapped(b *testing.B, at uint64, code []byte) *mm.AddressSpace {
	as := mm.NewAddressSpace(mm.NewAccount(1<<30), nil)
	r := mm.MapRequest{Addr: at, Len: uint64(len(code)+2*mm.PageSize) &^ pageMask, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}
	if _, errno := as.Map(r); errno != 0 {
		b.Fatal(errno)
	}
	if _, errno := as.CopyOut(at, code); errno != 0 {
		b.Fatal(errno)
	}
	return as
}

// BenchmarkTranslate translates the shell of the host from end to end.
func BenchmarkTranslate(b *testing.B) {
	newJIT(b)
	const at = 0x10000
	text := shellText(b, 20<<10)
	e := newEngine()
	e.t.eager = true
	best, bytes := 1e9, 0.0
	for b.Loop() {
		b.StopTimer()
		e.flush(cache.flushes.Load())
		as := mapped(b, at, text)
		e.v, e.as, e.c = new(cpu.VCPU), as, e.contextOf(as)
		insts := 0
		b.StartTimer()
		start := time.Now()
		for pc := uint64(at); pc < at+uint64(len(text)); {
			bl := e.find(pc, tierOnce)
			if bl == nil {
				pc++
				continue
			}
			insts += int(bl.n)
			pc = max(pc+1, e.t.list[len(e.t.list)-1].next())
		}
		best = min(best, float64(time.Since(start).Nanoseconds())/float64(insts))
		bytes = float64(cache.mem.used) / float64(insts)
	}
	b.ReportMetric(best, "ns/inst")
	b.ReportMetric(bytes, "bytes/inst")
}
