package tty

import (
	"encoding/binary"

	"github.com/tinevm/tine/internal/linux"
)

// disabled is the value of a control character that is off (_POSIX_VDISABLE).
const disabled = 0

// ctrl is the code that a key gives together with the control key.
func ctrl(c byte) byte { return c & 0x1f }

// initialTermios is what a new pseudo-terminal's slave starts with.
func initialTermios() linux.Termios {
	return linux.Termios{
		Iflag: linux.ICRNL | linux.IXON,
		Oflag: linux.OPOST | linux.ONLCR,
		Cflag: linux.B38400 | linux.CS8 | linux.CREAD,
		Lflag: linux.ISIG | linux.ICANON | linux.ECHO | linux.ECHOE | linux.ECHOK | linux.ECHOCTL | linux.ECHOKE | linux.IEXTEN,
		CC: [19]uint8{
			linux.VINTR: ctrl('C'), linux.VQUIT: ctrl('\\'), linux.VERASE: 0x7f, linux.VKILL: ctrl('U'),
			linux.VEOF: ctrl('D'), linux.VMIN: 1, linux.VSTART: ctrl('Q'), linux.VSTOP: ctrl('S'),
			linux.VSUSP: ctrl('Z'), linux.VREPRINT: ctrl('R'), linux.VDISCARD: ctrl('O'),
			linux.VWERASE: ctrl('W'), linux.VLNEXT: ctrl('V'),
		},
	}
}

func (t *TTY) iflag(bits uint32) bool { return t.termios.Iflag&bits != 0 }
func (t *TTY) oflag(bits uint32) bool { return t.termios.Oflag&bits != 0 }
func (t *TTY) lflag(bits uint32) bool { return t.termios.Lflag&bits != 0 }

// isKey reports whether c is the control character which (linux.VINTR, ...).
func (t *TTY) isKey(c byte, which int) bool { return c != disabled && t.termios.CC[which] == c }

// canonical reports whether input is read by lines.
func (t *TTY) canonical() bool { return t.lflag(linux.ICANON) && !t.lflag(linux.EXTPROC) }

// continues reports whether c is a further byte of a UTF-8 character, which
// takes no column.
func (t *TTY) continues(c byte) bool { return t.iflag(linux.IUTF8) && c&0xc0 == 0x80 }

// The classes of characters are those of the kernel, which knows Latin-1.
func isControl(c byte) bool { return c < 0x20 || c == 0x7f }
func isUpper(c byte) bool   { return 'A' <= c && c <= 'Z' || 0xc0 <= c && c < 0xdf && c != 0xd7 }
func isLower(c byte) bool   { return 'a' <= c && c <= 'z' || 0xdf <= c && c != 0xf7 }

// ownFlow reports whether ^S and ^Q have their usual meaning, which packet mode
// tells the master (TIOCPKT_DOSTOP).
func ownFlow(t *linux.Termios) bool {
	return t.Iflag&linux.IXON != 0 && t.CC[linux.VSTOP] == ctrl('S') && t.CC[linux.VSTART] == ctrl('Q')
}

// setTermios takes new attributes. Characters have 8 bits and the line is up,
// whatever is asked for.
func (t *TTY) setTermios(n linux.Termios) {
	old := t.termios
	n.Cflag = n.Cflag&^(linux.CSIZE|linux.PARENB) | linux.CS8 | linux.CREAD
	t.termios = n
	if (old.Lflag^n.Lflag)&(linux.ICANON|linux.EXTPROC) != 0 {
		t.in.changeMode(t.lflag(linux.ICANON))
	}
	if m := t.master; m.packet {
		if (old.Lflag^n.Lflag)&linux.EXTPROC != 0 {
			m.note(linux.TIOCPKT_IOCTL, 0)
		}
		if now := ownFlow(&n); now != ownFlow(&old) {
			if now {
				m.note(linux.TIOCPKT_DOSTOP, linux.TIOCPKT_NOSTOP)
			} else {
				m.note(linux.TIOCPKT_NOSTOP, linux.TIOCPKT_DOSTOP)
			}
		}
	}
	if old.Iflag&linux.IXON != 0 && !t.iflag(linux.IXON) {
		t.startShowing() // nobody could type ^Q any more
	}
	t.deliver()
	t.queue.Wake(0)
}

// Sizes of the structures that TCGETS2 and TCGETA exchange.
const (
	sizeofTermios2 = 44 // struct termios and two speeds
	sizeofTermio   = 18 // struct termio of System V, padded
	ncc            = 8  // its control characters
)

// encodeTermios2 makes struct termios2.
func encodeTermios2(t *linux.Termios) []byte {
	b := make([]byte, sizeofTermios2)
	t.Encode(b)
	speed := baud(t.Cflag)
	binary.LittleEndian.PutUint32(b[36:], speed)
	binary.LittleEndian.PutUint32(b[40:], speed)
	return b
}

// encodeTermio makes struct termio.
func encodeTermio(t *linux.Termios) []byte {
	b := make([]byte, sizeofTermio)
	for i, v := range []uint32{t.Iflag, t.Oflag, t.Cflag, t.Lflag} {
		binary.LittleEndian.PutUint16(b[2*i:], uint16(v))
	}
	b[8] = t.Line
	copy(b[9:], t.CC[:ncc])
	return b
}

// decodeTermio changes what struct termio has.
func decodeTermio(t *linux.Termios, b []byte) {
	for i, p := range []*uint32{&t.Iflag, &t.Oflag, &t.Cflag, &t.Lflag} {
		*p = *p&^0xffff | uint32(binary.LittleEndian.Uint16(b[2*i:]))
	}
	t.Line = b[8]
	copy(t.CC[:ncc], b[9:])
}

// bauds are the speeds of the codes B0 to B38400, and of those with CBAUDEX
// from B57600 on.
var bauds = [2][16]uint32{
	{0, 50, 75, 110, 134, 150, 200, 300, 600, 1200, 1800, 2400, 4800, 9600, 19200, 38400},
	{0, 57600, 115200, 230400, 460800, 500000, 576000, 921600, 1000000, 1152000, 1500000, 2000000, 2500000, 3000000, 3500000, 4000000},
}

// baud is the speed that c_cflag asks for. It means nothing to a
// pseudo-terminal.
func baud(cflag uint32) uint32 {
	const extended = 0x1000 // CBAUDEX
	if cflag&extended != 0 {
		return bauds[1][cflag&15]
	}
	return bauds[0][cflag&15]
}
