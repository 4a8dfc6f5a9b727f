package picture

import "math"

// Sizes in pixels of the picture.
const (
	marginX   = 24.0
	marginTop = 74.0
	rowHeight = 34.0
	charWidth = 6.63 // of the font, which is monospaced, at its size
	corner    = 10.0 // radius with which a line branches off
	labelGap  = 15.0
	tail      = 26.0 // that lives still going on at the end stick out
)

// lane is where a life is drawn.
type lane struct {
	x0, x1 float64 // from birth to the end, labels included
	free   float64 // the next label can begin here
	below  int     // rows below its parent's
	row    int
}

// layOut finds the place of every moment and every life.
//
// Time goes from left to right, but not evenly: the pause between two moments
// takes room by its logarithm, so that milliseconds and minutes fit into one
// picture, and labels push what follows on their line far enough away.
func (f *Family) layOut() {
	x, last := marginX, f.start
	for i := range f.moments {
		m := &f.moments[i]
		x += pause(m.time - last)
		last = m.time
		l := &m.on.lane
		x = max(x, l.free)
		m.x = x
		l.free = x + 8
		if m.label != "" {
			l.free = x + width(m.label) + labelGap
		}
		if m.kind == "fork" && m.other != nil {
			c := &m.other.lane
			c.x0 = x
			c.free = x + corner + width(f.birthLabel(m.other)) + labelGap
		}
	}
	for _, p := range f.all {
		f.extent(p, x)
	}
	row := 0
	for _, p := range f.all {
		if p.parent == nil {
			b := place(p)
			p.lane.below = row
			row += len(b.rows)
		}
	}
	for _, p := range f.all { // parents come before their children
		p.lane.row = p.lane.below
		if p.parent != nil {
			p.lane.row += p.parent.lane.row
		}
	}
}

// pause is the room that a pause of so many nanoseconds takes.
func pause(ns int64) float64 { return 7 + 6*math.Log10(1+float64(max(ns, 0))/1000) }

func width(s string) float64 { return float64(len([]rune(s))) * charWidth }

// extent finds where a life's line ends.
func (f *Family) extent(p *life, end float64) {
	l := &p.lane
	if p.parent == nil {
		l.x0 = marginX - 6
	}
	l.x1 = max(l.free, end+tail)
	if p.gone >= 0 {
		l.x1 = max(l.free, f.moments[p.gone].x+6)
	}
}

// block is the room that a life and its descendants take: the stretch in use in
// each row.
type block struct{ rows []stretch }

type stretch struct{ x0, x1 float64 }

// place finds rows for the descendants of p. The latest child comes closest to
// the parent: then no child's branch crosses the line of another, since those
// in between are not born yet.
func place(p *life) *block {
	b := &block{}
	b.use(0, stretch{p.lane.x0, p.lane.x1})
	for i := len(p.children) - 1; i >= 0; i-- {
		c := p.children[i]
		cb := place(c)
		at := 1
		for !b.fits(cb, at) {
			at++
		}
		for r, used := range cb.rows {
			b.use(at+r, used)
		}
		for r := 1; r < at; r++ { // keep the branch free
			b.use(r, stretch{c.lane.x0 - 2, c.lane.x0 + 2})
		}
		c.lane.below = at
	}
	return b
}

// use takes room in a row, and what lies between it and the room in use.
func (b *block) use(row int, s stretch) {
	if row == len(b.rows) {
		b.rows = append(b.rows, s)
		return
	}
	have := &b.rows[row]
	have.x0, have.x1 = min(have.x0, s.x0), max(have.x1, s.x1)
}

// fits reports whether c can begin at a row of b.
func (b *block) fits(c *block, at int) bool {
	const space = 4
	for r, s := range c.rows {
		if at+r >= len(b.rows) {
			break
		}
		if have := b.rows[at+r]; s.x0 < have.x1+space && have.x0 < s.x1+space {
			return false
		}
	}
	return true
}

// birthLabel is what stands where a line begins: the pid, and the program
// unless an exec follows at once.
func (f *Family) birthLabel(p *life) string {
	label := "pid " + itoa(p.pid)
	for i := p.born + 1; i < len(f.moments); i++ {
		if f.moments[i].on == p {
			if f.moments[i].kind == "exec" {
				return label
			}
			break
		}
	}
	return label + " " + Printable(p.comm)
}
