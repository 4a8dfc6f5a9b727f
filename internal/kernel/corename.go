package kernel

import (
	"path"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// maxCorePattern is the longest core_pattern (CORENAME_MAX_SIZE), without the
// end of the string.
const maxCorePattern = 127

// coreName makes a core file's name of core_pattern, or the arguments of the
// program that is to read the image. Those are split before they are filled in,
// so that no name of a process can add any.
func (t *Task) coreName(c *coreDump) (name string, argv []string) {
	pattern := t.k.core.pattern
	if rest, ok := strings.CutPrefix(pattern, "|"); ok {
		argv = []string{}
		for _, word := range strings.FieldsFunc(rest, isCSpace) {
			argv = append(argv, t.coreWord(c, word))
		}
		return "", argv
	}
	name = t.coreWord(c, pattern)
	if t.k.core.usesPID != 0 && !hasSpecifier(pattern, 'p') {
		name += "." + strconv.Itoa(t.group.nr())
	}
	return name, nil
}

// isCSpace is isspace of the C locale.
func isCSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// hasSpecifier reports whether a pattern has a specifier.
func hasSpecifier(pattern string, spec byte) bool {
	for i := 0; i+1 < len(pattern); i++ {
		if pattern[i] == '%' {
			if i++; pattern[i] == spec {
				return true
			}
		}
	}
	return false
}

// coreWord fills in the specifiers of a pattern. A % at the end is dropped, and
// so is a specifier that there is not (core(5)).
func (t *Task) coreWord(c *coreDump, pattern string) string {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch {
		case pattern[i] != '%':
			b.WriteByte(pattern[i])
		case i+1 < len(pattern):
			i++
			b.WriteString(t.coreSpecifier(c, pattern[i]))
		}
	}
	return b.String()
}

// coreSpecifier is what a specifier stands for.
func (t *Task) coreSpecifier(c *coreDump, spec byte) string {
	switch spec {
	case '%':
		return "%"
	case 'p':
		return strconv.Itoa(t.group.nr())
	case 'P':
		return strconv.Itoa(t.group.pid)
	case 'i':
		return strconv.Itoa(t.nr())
	case 'I':
		return strconv.Itoa(t.tid)
	case 'u':
		return strconv.FormatUint(uint64(t.cred.UID), 10)
	case 'g':
		return strconv.FormatUint(uint64(t.cred.GID), 10)
	case 'd':
		return strconv.Itoa(t.group.dumpable)
	case 's':
		return strconv.Itoa(int(c.info.Signo))
	case 't':
		sec, _ := t.k.realtime()
		return strconv.FormatInt(sec, 10)
	case 'h':
		return coreEscape(t.ns.uts.hostname)
	case 'e':
		return coreEscape(t.comm)
	case 'f':
		return coreEscape(path.Base(t.exePath()))
	case 'E':
		return coreEscape(t.exePath())
	case 'c':
		return strconv.FormatUint(t.rlimit(linux.RLIMIT_CORE), 10)
	case 'C':
		return strconv.Itoa(t.cpu)
	}
	return ""
}

// coreEscape keeps what a process can choose from being more than a part of one
// name: it has no slash and is neither empty nor a directory's.
func coreEscape(s string) string {
	switch s {
	case "":
		return "!"
	case ".", "..":
		s = "!" + s[1:]
	}
	return strings.ReplaceAll(s, "/", "!")
}

// exePath is the name of the program's file; without one that of the task.
func (t *Task) exePath() string {
	if exe, ok := t.as.Exe.(fileObject); ok {
		if name, ok := exe.f.Path.Name(t.fs.Root); ok {
			return name
		}
		return exe.f.Path.String()
	}
	return t.comm + " (path unknown)"
}
