package ptytest

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Screen is what a person sees in a terminal's window: it understands the
// control sequences of xterm that change text or move the cursor, and skips
// the others (colours, titles, questions).
type Screen struct {
	rows, cols  int
	lines       [][]rune
	row, col    int
	wrap        bool // the last column is written: the next character wraps
	top, bottom int  // scrolling region, both included
	saved       [2]int
	other       [][]rune // the screen that is not shown (alternate or normal)
	pending     []byte   // an incomplete sequence
}

// NewScreen makes an empty one.
func NewScreen(rows, cols int) *Screen {
	s := &Screen{}
	s.Resize(rows, cols)
	return s
}

// Resize changes the size; text stays at the upper left.
func (s *Screen) Resize(rows, cols int) {
	if over := s.row - (rows - 1); over > 0 { // the cursor's line stays
		s.lines, s.row = s.lines[over:], s.row-over
	}
	s.rows, s.cols, s.top, s.bottom = rows, cols, 0, rows-1
	s.lines, s.other = fit(s.lines, rows, cols), fit(s.other, rows, cols)
	s.row, s.col, s.wrap = min(s.row, rows-1), min(s.col, cols-1), false
}

func fit(old [][]rune, rows, cols int) [][]rune {
	lines := make([][]rune, rows)
	for i := range lines {
		lines[i] = blank(cols)
		if i < len(old) {
			copy(lines[i], old[i])
		}
	}
	return lines
}

func blank(n int) []rune { return []rune(strings.Repeat(" ", n)) }

// String is the text, without spaces at the end of lines and empty lines at
// the end.
func (s *Screen) String() string {
	var b strings.Builder
	for _, l := range s.lines {
		b.WriteString(strings.TrimRight(string(l), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// Write implements io.Writer: p is what programs print.
func (s *Screen) Write(p []byte) (int, error) {
	b := append(s.pending, p...)
	for len(b) > 0 {
		n := s.step(b)
		if n == 0 {
			break
		}
		b = b[n:]
	}
	s.pending = append([]byte(nil), b...)
	return len(p), nil
}

// step handles one character or sequence, and returns its length; 0 if it is
// not complete.
func (s *Screen) step(b []byte) int {
	switch c := b[0]; {
	case c == 0x1b:
		return s.escape(b)
	case c < 0x20 || c == 0x7f:
		s.control(c)
		return 1
	case c < 0x80 || utf8.FullRune(b):
		r, n := utf8.DecodeRune(b)
		s.put(r)
		return n
	}
	return 0
}

func (s *Screen) control(c byte) {
	s.wrap = false
	switch c {
	case '\r':
		s.col = 0
	case '\n', '\v', '\f':
		s.down()
	case '\b':
		s.col = max(s.col-1, 0)
	case '\t':
		s.col = min(s.col&^7+8, s.cols-1)
	}
}

func (s *Screen) put(r rune) {
	if s.wrap {
		s.col = 0
		s.down()
	}
	s.lines[s.row][s.col] = r
	s.wrap = s.col == s.cols-1
	s.col = min(s.col+1, s.cols-1)
}

func (s *Screen) down() {
	if s.row == s.bottom {
		s.scroll(s.top, 1)
	} else {
		s.row = min(s.row+1, s.rows-1)
	}
}

// scroll moves the lines from the given one to the end of the region up by n,
// or down if n is negative.
func (s *Screen) scroll(from, n int) {
	region := s.lines[from : s.bottom+1]
	for ; n > 0; n-- {
		copy(region, region[1:])
		region[len(region)-1] = blank(s.cols)
	}
	for ; n < 0; n++ {
		copy(region[1:], region)
		region[0] = blank(s.cols)
	}
}

// escape handles a sequence that begins with ESC.
func (s *Screen) escape(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '[':
		for i := 2; i < len(b); i++ {
			if b[i] >= 0x40 {
				s.csi(string(b[2:i]), b[i])
				return i + 1
			}
		}
		return 0
	case ']', 'P', '_', '^': // strings, up to BEL or ESC \
		for i := 2; i < len(b); i++ {
			if b[i] == 7 {
				return i + 1
			}
			if b[i] == '\\' && b[i-1] == 0x1b {
				return i + 1
			}
		}
		return 0
	case '(', ')', '#', '%':
		if len(b) < 3 {
			return 0
		}
		return 3
	case '7':
		s.saved = [2]int{s.row, s.col}
	case '8':
		s.row, s.col, s.wrap = s.saved[0], s.saved[1], false
	case 'D':
		s.down()
	case 'E':
		s.col = 0
		s.down()
	case 'M':
		if s.row == s.top {
			s.scroll(s.top, -1)
		} else {
			s.row = max(s.row-1, 0)
		}
	case 'c':
		*s = *NewScreen(s.rows, s.cols)
	}
	return 2
}

// csi handles a control sequence.
func (s *Screen) csi(params string, final byte) {
	if strings.HasPrefix(params, "?") {
		s.mode(params[1:], final)
		return
	}
	if strings.ContainsAny(params, "<=> !\"$'") {
		return // questions and settings
	}
	var arg []int
	for _, p := range strings.Split(params, ";") {
		n, _ := strconv.Atoi(p)
		arg = append(arg, n)
	}
	n := max(arg[0], 1)
	line := s.lines[s.row]
	if final != 'm' {
		s.wrap = false
	}
	switch final {
	case 'A':
		s.row = max(s.row-n, 0)
	case 'B', 'e':
		s.row = min(s.row+n, s.rows-1)
	case 'C', 'a':
		s.col = min(s.col+n, s.cols-1)
	case 'D':
		s.col = max(s.col-n, 0)
	case 'G', '`':
		s.col = min(n, s.cols) - 1
	case 'd':
		s.row = min(n, s.rows) - 1
	case 'H', 'f':
		arg = append(arg, 1)
		s.row, s.col = min(n, s.rows)-1, min(max(arg[1], 1), s.cols)-1
	case 'J':
		s.eraseScreen(arg[0])
	case 'K':
		s.eraseLine(arg[0])
	case 'L', 'M':
		if s.top <= s.row && s.row <= s.bottom {
			n = min(n, s.rows)
			if final == 'L' {
				n = -n
			}
			s.scroll(s.row, n)
		}
	case 'S':
		s.scroll(s.top, min(n, s.rows))
	case 'T':
		s.scroll(s.top, -min(n, s.rows))
	case '@':
		n = min(n, s.cols-s.col)
		copy(line[s.col+n:], line[s.col:])
		copy(line[s.col:], blank(n))
	case 'P':
		n = min(n, s.cols-s.col)
		copy(line[s.col:], line[s.col+n:])
		copy(line[s.cols-n:], blank(n))
	case 'X':
		copy(line[s.col:], blank(min(n, s.cols-s.col)))
	case 'r':
		arg = append(arg, 0)
		s.top, s.bottom = max(arg[0], 1)-1, s.rows-1
		if arg[1] > 0 {
			s.bottom = min(arg[1], s.rows) - 1
		}
		s.row, s.col = 0, 0
	}
}

// mode sets ('h') or resets ('l') a private mode: only the alternate screen
// counts.
func (s *Screen) mode(which string, final byte) {
	if which != "1049" && which != "47" && which != "1047" {
		return
	}
	s.lines, s.other = s.other, s.lines
	if final == 'h' {
		s.lines = fit(nil, s.rows, s.cols)
		s.saved = [2]int{s.row, s.col}
	} else if which == "1049" {
		s.row, s.col = s.saved[0], s.saved[1]
	}
}

func (s *Screen) eraseScreen(what int) {
	s.eraseLine(what)
	for i := range s.lines {
		if what >= 2 || what == 0 && i > s.row || what == 1 && i < s.row {
			s.lines[i] = blank(s.cols)
		}
	}
}

func (s *Screen) eraseLine(what int) {
	from, to := 0, s.cols
	switch what {
	case 0:
		from = s.col
	case 1:
		to = s.col + 1
	}
	copy(s.lines[s.row][from:to], blank(to-from))
}
