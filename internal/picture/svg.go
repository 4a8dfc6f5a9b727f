package picture

import (
	"fmt"
	"html"
	"strconv"
	"strings"
	"time"
)

// palette are the colours of programs, in order of their appearance: distinct
// to most eyes, and dark enough on white.
var palette = []string{"#2f6fb0", "#d07a1f", "#3a8f4f", "#8a5bb0", "#b04a6a", "#2c8c8c", "#8c6d31", "#5b6ad0", "#6b8e23", "#a0522d"}

const (
	colourZombie = "#9aa0a6"
	colourBad    = "#c62828"
	colourGood   = "#2e7d32"
	colourOrphan = "#e08a00"
	colourText   = "#202124"
	colourFaint  = "#80868b"
)

const style = `text{font:11px 'DejaVu Sans Mono',Menlo,Consolas,monospace;fill:` + colourText + `}
.title{font-size:15px;font-weight:bold}.faint{fill:` + colourFaint + `}.pid{font-weight:bold}
.halo{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}
.life{fill:none;stroke-width:3;stroke-linecap:round}.zombie{stroke:` + colourZombie + `;stroke-width:2;stroke-dasharray:3 4;fill:none}
.reap{stroke:` + colourZombie + `;stroke-width:1;stroke-dasharray:1 3;fill:none}
.grid{stroke:#eceff1;stroke-width:1}
.orphan{stroke:` + colourOrphan + `;stroke-width:1.5;stroke-dasharray:5 3;fill:none}
.signal{stroke:` + colourBad + `;stroke-width:1.2;fill:none}
`

// drawing is the SVG in the making.
type drawing struct {
	strings.Builder
	f       *Family
	colours map[string]string
}

func itoa(n int) string { return strconv.Itoa(n) }

// num formats a coordinate.
func num(x float64) string { return strconv.FormatFloat(float64(int64(x*10+0.5))/10, 'f', -1, 64) }

func (d *drawing) line(format string, args ...any) {
	for i, a := range args {
		if x, ok := a.(float64); ok {
			args[i] = num(x)
		}
	}
	fmt.Fprintf(&d.Builder, format+"\n", args...)
}

func (d *drawing) text(x, y float64, class, s string) {
	d.line(`<text x="%v" y="%v" class="%s">%s</text>`, x, y, class, html.EscapeString(s))
}

// y is the height of a life's line.
func (p *life) y() float64 { return marginTop + rowHeight*float64(p.lane.row) + 24 }

// svg draws what layOut has placed.
func (f *Family) svg() string {
	d := &drawing{f: f, colours: make(map[string]string)}
	wide, rows := 640.0, 0
	for _, p := range f.all {
		wide = max(wide, p.lane.x1+marginX+40)
		rows = max(rows, p.lane.row+1)
	}
	bottom := marginTop + rowHeight*float64(rows) + 16
	d.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %v %v" width="%v" height="%v">`, wide, bottom+44, wide, bottom+44)
	d.line("<style>%s</style>", style)
	d.line(`<defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker>`+
		`<marker id="hit" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path d="M0 0L8 4L0 8z" fill="%s"/></marker></defs>`, colourOrphan, colourBad)
	d.line(`<rect width="100%%" height="100%%" fill="#fff"/>`)
	d.heading()
	d.axis(bottom)
	for i := range f.moments {
		d.between(&f.moments[i])
	}
	for _, p := range f.all {
		d.life(p)
	}
	for _, p := range f.all {
		d.birth(p)
	}
	for i := range f.moments {
		d.mark(&f.moments[i])
	}
	d.legend(bottom + 26)
	d.line("</svg>")
	return d.String()
}

// heading says what was run and what it took.
func (d *drawing) heading() {
	f := d.f
	title := "no process"
	for _, m := range f.moments {
		if m.kind == "exec" {
			title = shorten(strings.TrimPrefix(m.title, "exec "), 90)
			if _, args, ok := strings.Cut(m.title, ": "); ok {
				title = shorten(args, 90)
			}
			break
		}
	}
	d.text(marginX, 26, "title", title)
	n := len(f.all)
	s := fmt.Sprintf("%d processes, %v, %d instructions, %d pages copied on write", n, duration(f.end-f.start), f.insns, f.pages)
	if f.skipped > 0 {
		s += fmt.Sprintf("; %d more processes are not shown", f.skipped)
	}
	if f.cut {
		s += fmt.Sprintf("; only the first %d events are shown", maxMoments)
	}
	d.text(marginX, 43, "faint", s)
}

// duration is a time to a hundred thousandth of its unit.
func duration(ns int64) string {
	d := time.Duration(ns)
	for _, unit := range []time.Duration{time.Second, time.Millisecond} {
		if d >= unit {
			return d.Round(unit / 100_000).String()
		}
	}
	return d.String()
}

// axis shows machine time since the first moment, where there is room.
func (d *drawing) axis(bottom float64) {
	next := 0.0
	for _, m := range d.f.moments {
		if m.x < next {
			continue
		}
		label := duration(m.time - d.f.start)
		d.line(`<path class="grid" d="M%v %vV%v"/>`, m.x, marginTop-6, bottom)
		d.text(m.x-2, marginTop-10, "faint", label)
		next = m.x + max(width(label)+14, 70)
	}
}

// colour is that of a program.
func (d *drawing) colour(comm string) string {
	c, ok := d.colours[comm]
	if !ok {
		c = palette[len(d.colours)%len(palette)]
		d.colours[comm] = c
	}
	return c
}

// life draws the line of a process: in the colour of its program, pale while
// it is stopped, dashed while it is a zombie.
func (d *drawing) life(p *life) {
	y := p.y()
	x, colour, pale := p.lane.x0, d.colour(p.comm), false
	if p.parent != nil { // the branch
		d.line(`<path class="life" stroke="%s" d="M%v %vV%vQ%v %v %v %v"/>`, colour, x, p.parent.y(), y-corner, x, y, x+corner, y)
		x += corner
	}
	stretch := func(to float64) {
		if to > x {
			faint := ""
			if pale {
				faint = ` opacity="0.35"`
			}
			d.line(`<path class="life" stroke="%s"%s d="M%v %vH%v"/>`, colour, faint, x, y, to)
		}
		x = max(x, to)
	}
	end := p.lane.x1
	for i := p.born; i < len(d.f.moments); i++ {
		m := &d.f.moments[i]
		if m.on != p {
			continue
		}
		switch m.kind {
		case "exec":
			stretch(m.x)
			colour = d.colour(m.comm)
		case "stop", "continue":
			stretch(m.x)
			pale = m.kind == "stop"
		case "exit":
			end = m.x
		}
	}
	stretch(end)
	if p.died < 0 {
		return
	}
	until := p.lane.x1
	if p.gone >= 0 {
		until = d.f.moments[p.gone].x
	}
	if until > end {
		d.line(`<path class="zombie" d="M%v %vH%v"/>`, end+5, y, until)
	}
}

// birth labels the beginning of a line.
func (d *drawing) birth(p *life) {
	x := p.lane.x0 + corner + 2
	if p.parent == nil {
		x = p.lane.x0
	}
	label := d.f.birthLabel(p)
	title := fmt.Sprintf("pid %d: %d pages copied on write, %d more threads", p.pid, p.copies, p.threads)
	d.line(`<g><title>%s</title>`, title)
	d.text(x, p.y()-6, "pid halo", label)
	d.line("</g>")
}

// between draws what joins two lines: a reaping, a new parent, a signal.
func (d *drawing) between(m *moment) {
	if m.other == nil || m.other == m.on {
		return
	}
	from, to := m.other.y(), m.on.y()
	switch m.kind {
	case "reap":
		if m.other.parent != nil || m.on.parent == m.other && m.other.pid != 1 { // PID 1 waits for all
			d.line(`<path class="reap" d="M%v %vV%v"/>`, m.x, to, from)
		}
	case "reparent":
		d.line(`<path class="orphan" marker-end="url(#arrow)" d="M%v %vC%v %v %v %v %v %v"/>`,
			m.x, to, m.x+26, to-(to-from)*0.3, m.x+26, from+(to-from)*0.3, m.x+4, from+3)
	case "signal":
		d.line(`<path class="signal" marker-end="url(#hit)" d="M%v %vL%v %v"/>`, m.x, from, m.x, to-sign(to-from)*3)
	}
}

func sign(x float64) float64 {
	if x < 0 {
		return -1
	}
	return 1
}

// mark draws what happens on a line, with its label.
func (d *drawing) mark(m *moment) {
	x, y := m.x, m.on.y()
	d.line("<g><title>%s at %s</title>", html.EscapeString(m.title), duration(m.time-d.f.start))
	class := "halo"
	switch m.kind {
	case "fork":
		if m.other == nil { // a thread
			d.line(`<path d="M%v %vv-7" stroke="%s" stroke-width="2"/>`, x, y, d.colour(m.on.comm))
		}
	case "exec":
		d.line(`<path d="M%v %vl5 5l-5 5l-5 -5z" fill="#fff" stroke="%s" stroke-width="2"/>`, x, y-5, d.colour(m.comm))
	case "exit":
		colour := colourGood
		if m.on.status != 0 {
			colour = colourBad
		}
		if m.on.status.Signaled() {
			d.line(`<path d="M%v %vl8 8m0 -8l-8 8" stroke="%s" stroke-width="2.4"/>`, x-4, y-4, colour)
		} else {
			d.line(`<circle cx="%v" cy="%v" r="4.5" fill="%s"/>`, x, y, colour)
		}
		class += " faint"
	case "reap":
		d.line(`<path d="M%v %vv10" stroke="%s" stroke-width="2"/>`, x, y-5, colourZombie)
	case "signal":
		d.line(`<circle cx="%v" cy="%v" r="3" fill="%s"/>`, x, y, colourBad)
	case "reparent":
		d.line(`<circle cx="%v" cy="%v" r="3.5" fill="%s"/>`, x, y, colourOrphan)
	}
	if m.label != "" {
		d.text(x+3, y-6, class, m.label)
	}
	d.line("</g>")
}

// legend explains the signs.
func (d *drawing) legend(y float64) {
	x := marginX
	item := func(sign, text string) {
		d.line(`<g transform="translate(%v %v)">%s<text x="26" y="4" class="faint">%s</text></g>`, x, y, sign, text)
		x += 26 + width(text) + 20
	}
	item(`<path d="M0 0H20" class="life" stroke="`+palette[0]+`"/>`, "process")
	item(`<path d="M10 -5l5 5l-5 5l-5 -5z" fill="#fff" stroke="`+palette[0]+`" stroke-width="2"/>`, "exec")
	item(`<circle cx="10" r="4.5" fill="`+colourGood+`"/>`, "exit 0")
	item(`<circle cx="10" r="4.5" fill="`+colourBad+`"/>`, "other exit")
	item(`<path d="M6 -4l8 8m0 -8l-8 8" stroke="`+colourBad+`" stroke-width="2.4"/>`, "killed")
	item(`<path d="M0 0H20" class="zombie"/>`, "zombie")
	item(`<path d="M10 -5v10" stroke="`+colourZombie+`" stroke-width="2"/>`, "reaped")
	item(`<path d="M0 0H18" class="orphan" marker-end="url(#arrow)"/>`, "new parent")
	item(`<path d="M0 0H18" class="signal" marker-end="url(#hit)"/>`, "signal")
}
