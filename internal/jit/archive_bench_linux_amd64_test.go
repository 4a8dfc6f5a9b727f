package jit

import (
	"testing"
	"time"

	"github.com/tinevm/tine/internal/cpu"
)

// BenchmarkArchive keeps the translation of the shell of the host, and has it back.
func BenchmarkArchive(b *testing.B) {
	const at = 0x10000
	text := shellText(b, 800<<10)
	as := mapped(b, at, text)
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
	start := time.Now()
	if err := SaveArchive(); err != nil {
		b.Fatal(err)
	}
	saved, best := float64(time.Since(start).Nanoseconds())/float64(cache.nblocks), 1e9
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
