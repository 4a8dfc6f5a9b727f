package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Sockets live in a folder that only its owner can enter: tine in the user's
// runtime folder (XDG Base Directory Specification) if there is one that is the
// user's own, otherwise tine-UID in the folder for temporary files.

const (
	socketSuffix = ".sock"
	lockName     = ".lock"
	// maxSocketPath is the room for a path in a socket address, with its final
	// zero: 104 bytes on macOS, 108 on Linux and Windows (unix(7)).
	maxSocketPath = 104
	// patience is how long a machine may take to answer a question.
	patience = 5 * time.Second
)

// validName allows what docker does but for the first character: a letter, so
// that a name is never taken for a pid.
func validName(name string) bool {
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || !strings.ContainsRune("0123456789_.-", rune(c))) {
			return false
		}
	}
	return name != "" && len(name) <= 63
}

// folder returns the folder of the sockets, and makes it if asked to.
func folder(create bool) (string, error) {
	dir := filepath.Join(os.TempDir(), "tine")
	if uid := os.Getuid(); uid >= 0 { // Windows has none, but a folder for each user
		dir += "-" + strconv.Itoa(uid)
	}
	if run := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(run) {
		if st, err := os.Stat(run); err == nil && st.IsDir() && private(st) {
			dir = filepath.Join(run, "tine")
		}
	}
	if create {
		if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
	}
	st, err := os.Lstat(dir)
	if err != nil {
		return "", err
	}
	if !st.IsDir() || !private(st) {
		return "", fmt.Errorf("%s is not a folder that only you can open: remove it", dir)
	}
	return dir, nil
}

// claim binds the socket of a name. The socket that a killed tine has left
// behind is replaced.
func claim(dir, name string) (net.Listener, error) {
	path := filepath.Join(dir, name+socketSuffix)
	if len(path) >= maxSocketPath {
		return nil, fmt.Errorf("the socket's path %s is longer than the %d bytes a socket may have", path, maxSocketPath-1)
	}
	unlock, err := lock(dir)
	if err != nil {
		return nil, err
	}
	defer unlock()
	l, err := listen(path)
	if err != nil {
		conn, derr := net.DialTimeout("unix", path, patience)
		if derr == nil {
			conn.Close()
			return nil, &InUseError{name}
		}
		if !refused(derr) {
			return nil, err
		}
		os.Remove(path)
		if l, err = listen(path); err != nil {
			return nil, err
		}
	}
	return l, os.Chmod(path, 0o600)
}

// InUseError reports that a machine of that name is running.
type InUseError struct{ Name string }

// Error implements error.
func (e *InUseError) Error() string {
	return fmt.Sprintf("a machine named %s is running already", e.Name)
}

// removeStale removes a socket that nobody listens at. The lock keeps it from
// taking one that is being made.
func removeStale(dir, path string) {
	unlock, err := lock(dir)
	if err != nil {
		return
	}
	defer unlock()
	if conn, err := net.DialTimeout("unix", path, patience); err == nil {
		conn.Close()
	} else if refused(err) {
		os.Remove(path)
	}
}

// Names lists the machines that are running, in order. Sockets of killed ones
// are removed.
func Names() ([]string, error) {
	dir, err := folder(false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), socketSuffix)
		if !ok {
			continue
		}
		path := filepath.Join(dir, e.Name())
		conn, err := net.DialTimeout("unix", path, patience)
		if err == nil {
			conn.Close()
			names = append(names, name)
		} else if refused(err) {
			removeStale(dir, path)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Find gives the name of the machine that is meant: with "" the only one.
func Find(name string) (string, error) {
	names, err := Names()
	if err != nil {
		return "", err
	}
	switch {
	case slices.Contains(names, name):
		return name, nil
	case len(names) == 0 && name == "":
		return "", errors.New("no machine is running")
	case len(names) == 0:
		return "", fmt.Errorf("no machine named %s; none is running", name)
	case name != "":
		return "", fmt.Errorf("no machine named %s; running: %s", name, strings.Join(names, ", "))
	case len(names) > 1:
		return "", fmt.Errorf("several machines are running, name one of them: %s", strings.Join(names, ", "))
	}
	return names[0], nil
}
