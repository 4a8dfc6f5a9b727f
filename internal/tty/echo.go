package tty

import "github.com/tinevm/tine/internal/linux"

// edit handles the keys that change the line being typed. It reports whether c
// is one.
func (t *TTY) edit(c byte) bool {
	extended := t.lflag(linux.IEXTEN)
	switch {
	case t.isKey(c, linux.VERASE):
		t.erase(t.eraseCharacter)
	case t.isKey(c, linux.VKILL):
		t.erase(t.eraseLine)
	case extended && t.isKey(c, linux.VWERASE):
		t.erase(t.eraseWord)
	case extended && t.isKey(c, linux.VLNEXT):
		t.in.literal = true
		if t.lflag(linux.ECHO) {
			t.finishErasing()
			if t.lflag(linux.ECHOCTL) {
				t.echoRaw('^')
				t.echoRaw('\b')
			}
		}
	case extended && t.lflag(linux.ECHO) && t.isKey(c, linux.VREPRINT):
		t.reprint(c)
	default:
		return false
	}
	return true
}

// reprint shows the line being typed again.
func (t *TTY) reprint(key byte) {
	t.finishErasing()
	t.echoKey(key)
	t.echoRaw('\n')
	for _, c := range t.in.buf[t.in.lines:] {
		t.echoKey(c)
	}
}

// erase does what a key says that erases, if there is anything to erase. Once
// the line is empty the display of erased characters ends.
func (t *TTY) erase(what func()) {
	if !t.in.editing() {
		return
	}
	what()
	if !t.in.editing() && t.lflag(linux.ECHO) {
		t.finishErasing()
	}
}

func (t *TTY) eraseCharacter() { t.eraseLast(t.lflag(linux.ECHOE)) }

// eraseWord erases back to the beginning of a word.
func (t *TTY) eraseWord() {
	inWord := false
	for t.in.editing() {
		c := t.in.buf[t.lastCharacter()]
		if isWord(c) {
			inWord = true
		} else if inWord {
			break
		}
		if !t.eraseLast(true) {
			break
		}
	}
}

// eraseLine erases everything, and shows it as the flags say.
func (t *TTY) eraseLine() {
	if t.lflag(linux.ECHO) && t.lflag(linux.ECHOK) && t.lflag(linux.ECHOKE) && t.lflag(linux.ECHOE) {
		for t.eraseLast(true) {
		}
		return
	}
	t.in.cut(t.in.lines)
	if !t.lflag(linux.ECHO) {
		return
	}
	t.finishErasing()
	t.echoKey(t.termios.CC[linux.VKILL])
	if t.lflag(linux.ECHOK) {
		t.echoRaw('\n')
	}
}

func isWord(c byte) bool { return isUpper(c) || isLower(c) || '0' <= c && c <= '9' || c == '_' }

// lastCharacter is where the last character of the line begins.
func (t *TTY) lastCharacter() int {
	i := len(t.in.buf) - 1
	for i > t.in.lines && t.continues(t.in.buf[i]) {
		i--
	}
	return i
}

// eraseLast erases one character. over says that it vanishes from the screen,
// rather than that the erase key is shown. It reports false if there is none.
func (t *TTY) eraseLast(over bool) bool {
	in := &t.in
	if !in.editing() {
		return false
	}
	i := t.lastCharacter()
	c := in.buf[i]
	if t.continues(c) {
		return false // the beginning is in a line that was completed
	}
	gone := in.buf[i:]
	in.cut(i)
	if !t.lflag(linux.ECHO) {
		return true
	}
	switch {
	case t.lflag(linux.ECHOPRT):
		t.showErased(gone)
	case !over:
		t.echoKey(t.termios.CC[linux.VERASE])
	case c == '\t':
		t.eraseTab()
	case isControl(c) && t.lflag(linux.ECHOCTL):
		t.wipe()
		t.wipe()
	case !isControl(c):
		t.wipe()
	}
	return true
}

// wipe removes one column from the screen.
func (t *TTY) wipe() {
	for _, c := range []byte("\b \b") {
		t.echoRaw(c)
	}
}

// showErased shows an erased character as a printing terminal does: between
// backslash and slash (ECHOPRT).
func (t *TTY) showErased(char []byte) {
	if !t.in.erasing {
		t.echoRaw('\\')
		t.in.erasing = true
	}
	t.echoKey(char[0])
	for _, c := range char[1:] {
		t.echoRaw(c)
		t.show(echo{kind: echoMoveBack})
	}
}

func (t *TTY) finishErasing() {
	if t.in.erasing {
		t.echoRaw('/')
		t.in.erasing = false
	}
}

// eraseTab moves back over a tab, which is no longer in the buffer: how wide it
// was follows from what stands before it.
func (t *TTY) eraseTab() {
	column, line := 0, t.in.buf[t.in.lines:]
	i := len(line) - 1
	for ; i >= 0 && line[i] != '\t'; i-- {
		switch {
		case isControl(line[i]):
			if t.lflag(linux.ECHOCTL) {
				column += 2
			}
		case !t.continues(line[i]):
			column++
		}
	}
	kind := uint8(echoEraseTab)
	if i < 0 {
		kind = echoEraseFirstTab
	}
	t.show(echo{kind: kind, column: column})
}

// markLineStart notes the column in which the line being typed begins.
func (t *TTY) markLineStart() {
	if !t.in.editing() {
		t.show(echo{kind: echoMarkStart})
	}
}

// echoKey shows a character that was typed; control characters as ^X if ECHOCTL is
// on.
func (t *TTY) echoKey(c byte) {
	if t.lflag(linux.ECHOCTL) && isControl(c) && c != '\t' {
		t.show(echo{kind: echoControl, c: c})
		return
	}
	t.echoRaw(c)
}

// echoRaw shows a character after output processing.
func (t *TTY) echoRaw(c byte) { t.show(echo{kind: echoCharacter, c: c}) }
