package main

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Sizes of a chart in pixels.
const (
	panelWidth  = 290.0
	panelHeight = 250.0
	chartLeft   = 66.0
	chartTop    = 92.0
	chartGap    = 26.0
	chartBottom = 58.0
	chartRight  = 18.0
)

// chartStyle has a background of its own in both schemes: the page around the
// picture need not follow the one that the reader's system asks for.
const chartStyle = `text{font:12px system-ui,'Segoe UI','DejaVu Sans',Helvetica,Arial,sans-serif;fill:#202124}
.back{fill:#fff}.title{font-size:16px;font-weight:600}.panel{font-weight:600}.faint{fill:#5f6368}
.grid{stroke:#e3e6e8}.axis{stroke:#80868b;fill:none}.curve{fill:none;stroke-width:2;stroke-linejoin:round}
.native{stroke:#b4500f}.native-fill,.native-text{fill:#b4500f}.tine{stroke:#1a62b8}.tine-fill,.tine-text{fill:#1a62b8}
.range{stroke-width:1;opacity:.6}.end{font-size:11px}
@media(prefers-color-scheme:dark){text{fill:#e8eaed}.back{fill:#15181c}.faint{fill:#a5abb1}.grid{stroke:#2c3136}.axis{stroke:#7d858c}
.native{stroke:#f2a25c}.native-fill,.native-text{fill:#f2a25c}.tine{stroke:#74b3ff}.tine-fill,.tine-text{fill:#74b3ff}}
`

// drawing is an SVG in the making: panels side by side, one for each value,
// with logarithmic axes of the same scale, so that they can be compared.
type drawing struct {
	strings.Builder
	chart      chart
	curves     []*curve
	x0, x1     float64 // what the axes span, as powers of ten
	y0, y1     float64
	wide, high float64
}

// drawChart is the picture of a chart's curves, or nothing without a point.
func drawChart(c chart, curves []*curve) string {
	d := &drawing{chart: c, curves: curves}
	if !d.span() {
		return ""
	}
	n := float64(len(c.values))
	d.wide = chartLeft + n*panelWidth + (n-1)*chartGap + chartRight
	d.high = chartTop + panelHeight + chartBottom
	d.line(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %v %v" width="%v" height="%v" role="img">`, d.wide, d.high, d.wide, d.high)
	d.line("<title>%s</title>", html.EscapeString(c.title))
	d.line("<style>%s</style>", chartStyle)
	d.line(`<rect class="back" width="100%%" height="100%%"/>`)
	d.text(chartLeft, 28, "title", "start", c.title)
	d.text(chartLeft, 47, "faint", "start", "both axes logarithmic; a point is the median, its line the range of the runs")
	d.legend()
	for i, v := range c.values {
		d.panel(chartLeft+float64(i)*(panelWidth+chartGap), v.name, i == 0)
	}
	d.line("</svg>")
	return d.String()
}

// span finds whole decades that hold all points.
func (d *drawing) span() bool {
	var xs, ys []float64
	for _, c := range d.curves {
		for _, p := range c.Points {
			xs = append(xs, math.Log10(p.X))
			if p.NS != nil {
				ys = append(ys, math.Log10(slices.Min(p.NS.All)), math.Log10(slices.Max(p.NS.All)))
			}
		}
	}
	if len(ys) == 0 {
		return false
	}
	d.x0, d.x1 = slices.Min(xs), slices.Max(xs)
	if d.x1 == d.x0 {
		d.x1++
	}
	d.y0, d.y1 = math.Floor(slices.Min(ys)-0.2), math.Ceil(slices.Max(ys)+0.2) // room for the values that stand there
	if d.y1 == d.y0 {
		d.y1++
	}
	return true
}

func (d *drawing) line(format string, args ...any) {
	for i, a := range args {
		if x, ok := a.(float64); ok {
			args[i] = math.Round(x*10) / 10
		}
	}
	fmt.Fprintf(&d.Builder, format+"\n", args...)
}

func (d *drawing) text(x, y float64, class, anchor, s string) {
	d.line(`<text x="%v" y="%v" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(s))
}

// targets are those that have a curve, in the order of their first.
func (d *drawing) targets() []string {
	var list []string
	for _, c := range d.curves {
		if !slices.Contains(list, c.Target) {
			list = append(list, c.Target)
		}
	}
	return list
}

func (d *drawing) legend() {
	x := d.wide - chartRight - 82*float64(len(d.targets()))
	for _, t := range d.targets() {
		d.line(`<path class="curve %s" d="M%v 24h26"/>`, t, x)
		d.mark(x+13, 24, t)
		d.text(x+32, 28, "", "start", t)
		x += 82
	}
}

// mark is a point: the targets differ in shape too.
func (d *drawing) mark(x, y float64, target string) {
	if target == "native" {
		d.line(`<rect class="%s-fill" x="%v" y="%v" width="7" height="7"/>`, target, x-3.5, y-3.5)
	} else {
		d.line(`<circle class="%s-fill" cx="%v" cy="%v" r="4"/>`, target, x, y)
	}
}

// panel draws the curves of one value, with its left edge at x.
func (d *drawing) panel(left float64, name string, labels bool) {
	bottom := chartTop + panelHeight
	placeX := func(x float64) float64 { return left + 10 + (math.Log10(x)-d.x0)/(d.x1-d.x0)*(panelWidth-20) }
	placeY := func(ns float64) float64 { return bottom - (math.Log10(ns)-d.y0)/(d.y1-d.y0)*panelHeight }
	d.text(left, chartTop-12, "panel", "start", name)
	for e := math.Ceil(d.x0); e <= d.x1; e++ {
		x := placeX(math.Pow(10, e))
		d.line(`<path class="grid" d="M%v %vV%v"/>`, x, chartTop, bottom)
		d.text(x, bottom+18, "faint", "middle", thousands(int(math.Pow(10, e))))
	}
	for e := d.y0; e <= d.y1; e++ {
		y := placeY(math.Pow(10, e))
		d.line(`<path class="grid" d="M%v %vh%v"/>`, left, y, panelWidth)
		if labels {
			d.text(left-8, y+4, "faint", "end", tick(e))
		}
	}
	d.line(`<path class="axis" d="M%v %vV%vh%v"/>`, left, chartTop, bottom, panelWidth)
	d.text(left+panelWidth/2, bottom+40, "faint", "middle", d.chart.x)
	var curves []*curve
	for _, c := range d.curves {
		if c.Value == name && len(c.measured()) > 0 {
			curves = append(curves, c)
		}
	}
	slices.SortStableFunc(curves, func(a, b *curve) int { return cmp.Compare(a.last().NS.Median, b.last().NS.Median) })
	for i, c := range curves {
		d.curve(c, placeX, placeY)
		at := c.last()
		beside := 19.0 // below the lowest curve, above the others
		if i > 0 || len(curves) == 1 {
			beside = -10
		}
		d.text(placeX(at.X)+6, placeY(at.NS.Median)+beside, "end "+c.Target+"-text", "end", duration(at.NS.Median))
	}
}

// measured are the points that have a value.
func (c *curve) measured() []point {
	return slices.DeleteFunc(slices.Clone(c.Points), func(p point) bool { return p.NS == nil })
}

func (c *curve) last() point {
	points := c.measured()
	return points[len(points)-1]
}

// tick names a power of ten of nanoseconds.
func tick(e float64) string {
	units := []string{"ns", "µs", "ms", "s"}
	u := min(max(int(math.Floor(e/3)), 0), len(units)-1)
	return fmt.Sprintf("%v %s", math.Round(math.Pow(10, e-float64(3*u))*1000)/1000, units[u])
}

// curve draws the points that were measured.
func (d *drawing) curve(c *curve, placeX, placeY func(float64) float64) {
	var path strings.Builder
	for i, p := range c.measured() {
		fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], placeX(p.X), placeY(p.NS.Median))
	}
	d.line(`<path class="curve %s" d="%s"/>`, c.Target, path.String())
	for _, p := range c.measured() {
		x := placeX(p.X)
		d.line(`<g><title>%s, %s %s: %s</title>`, c.Target, thousands(int(p.X)), html.EscapeString(d.chart.x), p.NS)
		d.line(`<path class="range %s" d="M%v %vV%v"/>`, c.Target, x, placeY(slices.Max(p.NS.All)), placeY(slices.Min(p.NS.All)))
		d.mark(x, placeY(p.NS.Median), c.Target)
		d.line("</g>")
	}
}
