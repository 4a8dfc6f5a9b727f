package picture

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable makes a name that a guest has chosen safe to show: control
// characters and what is no UTF-8 become \ooo, as pstree shows them.
func Printable(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 || !unicode.IsPrint(r) {
			for ; n > 0; n-- {
				fmt.Fprintf(&b, `\%03o`, s[i])
				i++
			}
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
	}
	return b.String()
}
