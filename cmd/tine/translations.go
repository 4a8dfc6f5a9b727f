package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tinevm/tine/internal/jit"
)

// translationsOff is what --translations and TINE_CACHE say for no folder.
const translationsOff = "off"

// keepTranslations has the code that the JIT translates kept for the next run. What is
// returned adds that of this run. To have the folder is never necessary, so that most
// things that can be wrong with it are none.
func (f *runFlags) keepTranslations() (save func(), err error) {
	none := func() {}
	if f.seeded || f.engine != "auto" && f.engine != "jit" {
		return none, nil // what runs must not depend on what ran before, or there is nothing to keep
	}
	dir, err := f.translationsFolder()
	if dir == "" || err != nil {
		return none, err
	}
	for _, src := range f.writable {
		if within(dir, src) || within(src, dir) {
			// What is in it is executed on the host.
			if f.translations != "" {
				return none, fmt.Errorf("--translations %s: the machine could write to it, because of -v %s", f.translations, src)
			}
			return none, nil
		}
	}
	if jit.OpenArchive(dir) != nil {
		return none, nil
	}
	return func() { jit.SaveArchive() }, nil
}

// translationsFolder is where translated code is kept; "" is nowhere.
func (f *runFlags) translationsFolder() (string, error) {
	dir := f.translations
	if dir == "" {
		dir = os.Getenv("TINE_CACHE")
	}
	switch dir {
	case translationsOff:
		return "", nil
	case "":
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", nil // nobody's, as that of a daemon
		}
		return filepath.Join(cache, "tine"), nil
	}
	return filepath.Abs(dir)
}

// within reports whether file is dir or in it, whatever links lead there.
func within(file, dir string) bool {
	file, dir = resolved(file), resolved(dir)
	rel, err := filepath.Rel(dir, file)
	return err == nil && rel != ".." && !strings.HasPrefix(rel, ".."+string(filepath.Separator))
}

// resolved is a path without links, as far as it exists.
func resolved(path string) string {
	if p, err := filepath.EvalSymlinks(path); err == nil {
		return p
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(resolved(dir), filepath.Base(path))
	}
	return path
}
