package jit

import (
	"debug/elf"
	"os"
	"testing"
	"time"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
)

// BenchmarkArchive keeps the translation of the shell of the host, and has it back.
func BenchmarkArchive(b *testing.B) {
	f, err := elf.Open("/bin/bash")
	if err != nil {
		b.Skip(err)
	}
	defer f.Close()
	text, err := f.Section(".text").Data()
	if err != nil {
		b.Fatal(err)
	}
	const at = 0x10000
	text = text[:min(len(text), 800<<10)]
	as := mm.NewAddressSpace(mm.NewAccount(1<<30), nil)
	if _, errno := as.Map(mm.MapRequest{Addr: at, Len: uint64(len(text)+2*mm.PageSize) &^ pageMask, Prot: mm.ProtRead | mm.ProtWrite | mm.ProtExec, Fixed: true}); errno != 0 {
		b.Fatal(errno)
	}
	if _, errno := as.CopyOut(at, text); errno != 0 {
		b.Fatal(errno)
	}
	// play makes all blocks, and returns how long that takes for one.
	play := func(eager bool) float64 {
		e := newEngine()
		e.t.eager = eager
		e.v, e.as, e.c = new(cpu.VCPU), as, e.contextOf(as)
		start := time.Now()
		for pc := uint64(at); pc < at+uint64(len(text)); {
			bl := e.find(pc, tierOnce)
			if bl == nil || bl == unseen {
				pc++
				continue
			}
			pc += 24
		}
		return float64(time.Since(start).Nanoseconds()) / float64(cache.nblocks)
	}
	dir := privateDir(b)
	archiveIn(b, dir, "a")
	made := play(true)
	best, saved := 1e9, 1e9
	for range 5 {
		os.RemoveAll(cache.archive.dir)
		start := time.Now()
		if err := SaveArchive(); err != nil {
			b.Fatal(err)
		}
		saved = min(saved, float64(time.Since(start).Nanoseconds())/float64(cache.nblocks))
	}
	for b.Loop() {
		b.StopTimer()
		archiveIn(b, dir, "a")
		b.StartTimer()
		best = min(best, play(false))
	}
	if cache.archive.recalled < cache.archive.made {
		b.Errorf("%d made, %d recalled", cache.archive.made, cache.archive.recalled)
	}
	b.ReportMetric(made, "ns/made")
	b.ReportMetric(saved, "ns/saved")
	b.ReportMetric(best, "ns/recalled")
	b.ReportMetric(float64(cache.nblocks), "blocks")
}
