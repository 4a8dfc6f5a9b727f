package jit

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// What the tests in package jit_test use.

// PassedFPU is passedFPU.
var PassedFPU = passedFPU

// Reserve is reserve.
const Reserve = reserve

// SetHotAfter changes hotAfter. Hot blocks go through calls unless it is what it was
// at first.
func SetHotAfter(n int32) (old int32) {
	old, hotAfter = hotAfter, n
	if sampledAfter = 0; n == firstHotAfter {
		sampledAfter = firstSampledAfter
	}
	return old
}

var firstHotAfter, firstSampledAfter = hotAfter, sampledAfter

// Flush empties the cache. No engine may be running.
func Flush() {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	cache.flushes.Add(1)
	reset()
}

// ArchiveDir makes a folder for an archive.
func ArchiveDir(t testing.TB) string { return privateDir(t) }

// OpenTestArchive empties the cache and makes a folder the archive until the test ends.
func OpenTestArchive(t testing.TB, dir string) { archiveIn(t, dir, "a") }

// collected is what CollectTestArchive has found.
var collected []archived

// CollectTestArchive puts aside what has been translated.
func CollectTestArchive() { collected = append(collected, collectAll()...) }

// collectAll has what is to be archived, not only where it is.
func collectAll() []archived {
	cache.mu.Lock()
	defer cache.mu.Unlock()
	pages, _ := cache.archive.collect()
	pages = merge(pages)
	for i := range pages {
		p := &pages[i]
		p.bytes = slices.Clone(p.bytes)
		table, contents := p.layout(nil, nil)
		first := table[0].at
		for _, b := range table {
			p.filed = append(p.filed, archivedContents{b, contents[b.at-first:][:b.bytes()]})
		}
		p.cached = nil
	}
	return pages
}

// SaveTestArchive adds what has been put aside to the archive.
func SaveTestArchive(t testing.TB) {
	if err := cache.archive.add(collected); err != nil {
		t.Fatal(err)
	}
	collected = nil
}

// Recalled is how many blocks came from the archive.
func Recalled() int { return cache.archive.recalled }

// Shift has the next block be elsewhere, with other numbers.
func Shift(n int) {
	cache.mem.used += 16 * int32(n)
	cache.nblocks += uint32(n) % blockPiece
	cache.pages += int32(n)
	for i := range cache.lasts {
		for range n {
			cache.lasts[i].take()
		}
	}
	cache.first[cache.mem.used>>firstShift] = cache.nblocks
}

// NeutralCode gives all that would be archived, as text, and how many blocks that are.
func NeutralCode() (text string, blocks int) {
	pages := collectAll()
	var b strings.Builder
	for i := range pages {
		for j := range pages[i].filed {
			c := &pages[i].filed[j]
			sites, code, refs := c.split(c.all)
			e := c.archivedBlock
			e.check = 0 // also of what is between fields
			fmt.Fprintf(&b, "%+v\n%+v\n%x\n%x\n", e, sites, code, refs)
			blocks++
		}
	}
	return b.String(), blocks
}
