package mm

import (
	"iter"
	"maps"
	"slices"
)

// cachePages holds the pages of a cache by number. They are together in clusters, so
// that who wants neighbours, as a page fault does, does not search for each.
type cachePages struct {
	clusters map[uint64]*cluster
	n        int
}

// cluster has neighbouring pages; those that are not held have no frame.
type cluster [1 << clusterShift]cachePage

// A cluster of 16 is no larger than the map that one page would need.
const clusterShift = 4

func newCachePages() cachePages { return cachePages{clusters: make(map[uint64]*cluster)} }

// len is the number of pages held.
func (t *cachePages) len() int { return t.n }

// get returns page i, if it is held.
func (t *cachePages) get(i uint64) (cachePage, bool) { return t.cluster(i).get(i) }

// cluster returns the cluster of page i, nil if none of its pages is held.
func (t *cachePages) cluster(i uint64) *cluster { return t.clusters[i>>clusterShift] }

func (c *cluster) get(i uint64) (p cachePage, ok bool) {
	if c != nil {
		p = c[i%(1<<clusterShift)]
	}
	return p, p.frame != 0
}

// set makes p page i.
func (t *cachePages) set(i uint64, p cachePage) {
	c := t.cluster(i)
	if c == nil {
		c = new(cluster)
		t.clusters[i>>clusterShift] = c
	}
	e := &c[i%(1<<clusterShift)]
	if e.frame == 0 {
		t.n++
	}
	*e = p
}

// delete forgets page i, which is held.
func (t *cachePages) delete(i uint64) {
	c := t.cluster(i)
	c[i%(1<<clusterShift)] = cachePage{}
	t.n--
	if *c == (cluster{}) {
		delete(t.clusters, i>>clusterShift)
	}
}

// all gives the pages held and their numbers, in order. Of the others none may come or go
// meanwhile.
func (t *cachePages) all() iter.Seq2[uint64, cachePage] {
	return func(yield func(uint64, cachePage) bool) {
		for _, k := range slices.Sorted(maps.Keys(t.clusters)) {
			for i, p := range t.clusters[k] {
				if p.frame != 0 && !yield(k<<clusterShift|uint64(i), p) {
					return
				}
			}
		}
	}
}
