package kernel

import "github.com/tidwall/btree"

// groupSet is a list of processes in the order in which they joined it. Leaving
// it costs no more when it is long: a parent may have a million children.
type groupSet struct {
	m    btree.Map[uint64, *Group]
	last uint64
}

// add puts g at the end and returns its place, which remove wants.
func (s *groupSet) add(g *Group) uint64 {
	s.last++
	s.m.Set(s.last, g)
	return s.last
}

// put puts g at a place that it has in another set.
func (s *groupSet) put(at uint64, g *Group) { s.m.Set(at, g) }

func (s *groupSet) remove(at uint64) { s.m.Delete(at) }

func (s *groupSet) len() int { return s.m.Len() }

// all is an iterator over the processes in their order. The set must not change
// meanwhile.
func (s *groupSet) all(yield func(*Group) bool) {
	s.m.Scan(func(_ uint64, g *Group) bool { return yield(g) })
}

// first is the process that has been in the set for the longest; nil if it is
// empty.
func (s *groupSet) first() *Group {
	_, g, _ := s.m.Min()
	return g
}

// list is a copy that stays when the set changes.
func (s *groupSet) list() []*Group { return s.m.Values() }

// adopt makes g a child of p, the youngest.
func (p *Group) adopt(g *Group, by *Task) {
	g.parent, g.parentTask = p, by
	g.childAt = p.children.add(g)
	g.updateNews()
}

// abandon takes g from its parent.
func (g *Group) abandon() {
	if p := g.parent; p != nil {
		p.children.remove(g.childAt)
		p.news.remove(g.childAt)
		g.parent, g.parentTask = nil, nil
	}
}

// updateNews enters g among the children that its parent's wait has something
// to report of, or takes it from there.
func (g *Group) updateNews() {
	p := g.parent
	if p == nil {
		return
	}
	if g.zombie || g.stopReport || g.contReport {
		p.news.put(g.childAt, g)
	} else {
		p.news.remove(g.childAt)
	}
}
