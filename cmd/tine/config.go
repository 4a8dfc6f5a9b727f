package main

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/control"
)

// maxCPUs is how many virtual processors a machine can have, minCPUs the least
// part of one's time that it can be limited to (cpu.max of cgroups).
const (
	maxCPUs = 64
	minCPUs = 0.01
)

// config translates the flags.
func (f *runFlags) config() (cfg tine.Config, err error) {
	cfg = tine.Config{
		Hostname: f.hostname, CPUs: int(math.Ceil(f.cpus)), Dir: f.workdir,
		ParentFirst: f.parentFirst, Bare: f.bare, ReadOnly: f.readOnly, Engine: f.engine,
		Root: f.root, FirstIsInit: !f.init,
	}
	if f.cpus != math.Trunc(f.cpus) {
		cfg.CPULimit = f.cpus
	}
	if f.seeded {
		cfg.Seed = &f.seed
	}
	if err := f.check(); err != nil {
		return cfg, err
	}
	if f.pidsLimit > 0 {
		cfg.MaxProcs = f.pidsLimit
		if f.init {
			cfg.MaxProcs++ // the built-in one is not the user's
		}
	}
	if f.memory != "" {
		if cfg.Memory, err = parseSize(f.memory); err != nil {
			return cfg, fmt.Errorf("-m %s: %w", f.memory, err)
		}
	}
	if cfg.Limits, err = parseUlimits(f.ulimits); err != nil {
		return cfg, err
	}
	for _, v := range f.volumes {
		m, writable, err := parseVolume(v)
		if err != nil {
			return cfg, err
		}
		if writable != "" {
			f.writable = append(f.writable, writable)
		}
		cfg.Mounts = append(cfg.Mounts, m)
	}
	for _, v := range f.tmpfs {
		m, err := parseTmpfs(v)
		if err != nil {
			return cfg, err
		}
		cfg.Mounts = append(cfg.Mounts, m)
	}
	if f.user != "" {
		if cfg.User, err = parseUser(f.user); err != nil {
			return cfg, err
		}
	}
	return cfg, nil
}

// check refuses what cannot be meant.
func (f *runFlags) check() error {
	switch {
	case f.pidsLimit < -1:
		return fmt.Errorf("--pids-limit %d: want a number, or -1 for no limit", f.pidsLimit)
	case f.cpus != 0 && !(f.cpus >= minCPUs && f.cpus <= maxCPUs):
		return fmt.Errorf("--cpus %v: want %v to %d", f.cpus, minCPUs, maxCPUs)
	case f.timeout < 0:
		return fmt.Errorf("--timeout %v: cannot be negative", f.timeout)
	case f.workdir != "" && !strings.HasPrefix(f.workdir, "/"):
		return fmt.Errorf("-w %s: want an absolute path in the machine", f.workdir)
	case !f.remove:
		return errors.New("--rm=false: a machine is always gone when its program ends")
	case f.asJSON && !f.stats && !f.jsonAlone:
		return errors.New("--json goes with --stats")
	}
	return nil
}

// takeTraceExprs moves those arguments of -e that are meant for the trace from
// the environment to it.
func (f *runFlags) takeTraceExprs() {
	kept := f.env[:0]
	for _, e := range f.env {
		if isTraceExpr(e) {
			f.trace.exprs = append(f.trace.exprs, e)
		} else {
			kept = append(kept, e)
		}
	}
	f.env = kept
}

// sizePattern is what docker takes: a number, perhaps with a fraction, and a
// unit such as k, KB or KiB, all of which are powers of 1024.
var sizePattern = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(\d+(?:\.\d+)?) ?([kmgtp])?i?b?$`)
})

// parseSize reads a number of bytes; 0 is no limit.
func parseSize(s string) (int64, error) {
	p := sizePattern().FindStringSubmatch(strings.ToLower(s))
	if p == nil {
		return 0, errors.New("want a number of bytes such as 512m or 2g")
	}
	f, err := strconv.ParseFloat(p[1], 64)
	if p[2] != "" {
		f *= float64(int64(1) << (10 * (strings.Index("kmgtp", p[2]) + 1)))
	}
	if err != nil || f >= 1<<62 {
		return 0, errors.New("too large")
	}
	return int64(f), nil
}

// ulimitNames are the names docker has for resource limits, with their
// numbers.
var ulimitNames = map[string]int{
	"cpu": 0, "fsize": 1, "data": 2, "stack": 3, "core": 4, "rss": 5, "nproc": 6, "nofile": 7,
	"memlock": 8, "as": 9, "locks": 10, "sigpending": 11, "msgqueue": 12, "nice": 13, "rtprio": 14, "rttime": 15,
}

func parseUlimits(list []string) (map[int]tine.Limit, error) {
	limits := make(map[int]tine.Limit)
	for _, u := range list {
		name, value, ok := strings.Cut(u, "=")
		nr, known := ulimitNames[name]
		if !ok || !known {
			return nil, fmt.Errorf("--ulimit %s: want NAME=SOFT[:HARD] with a name such as nofile, nproc, stack, core, as", u)
		}
		soft, hard, two := strings.Cut(value, ":")
		if !two {
			hard = soft
		}
		var l tine.Limit
		var err1, err2 error
		l.Soft, err1 = parseLimit(soft)
		l.Hard, err2 = parseLimit(hard)
		if err1 != nil || err2 != nil || l.Soft > l.Hard {
			return nil, fmt.Errorf("--ulimit %s: want numbers (or unlimited), the soft limit not above the hard one", u)
		}
		limits[nr] = l
	}
	return limits, nil
}

func parseLimit(s string) (uint64, error) {
	if s == "unlimited" || s == "-1" {
		return ^uint64(0), nil
	}
	return strconv.ParseUint(s, 10, 64)
}

// parseVolume reads SRC:DST[:ro|:rw]. writable is what of the host the machine may
// write because of it.
func parseVolume(v string) (m tine.Mount, writable string, err error) {
	bad := func(why string) (tine.Mount, string, error) {
		return tine.Mount{}, "", fmt.Errorf("-v %s: %s", v, why)
	}
	spec, rw := v, false
	if s, ok := strings.CutSuffix(spec, ":rw"); ok {
		spec, rw = s, true
	} else if s, ok := strings.CutSuffix(spec, ":ro"); ok {
		spec = s
	}
	i := strings.LastIndexByte(spec, ':')
	if i <= 0 || i == len(spec)-1 {
		return bad("want SRC:DST[:ro|:rw]")
	}
	src, dst := spec[:i], spec[i+1:]
	if !strings.HasPrefix(dst, "/") {
		return bad("DST must be an absolute path in the machine")
	}
	src, err = filepath.Abs(src)
	if err != nil {
		return bad(err.Error())
	}
	if _, err := os.Stat(src); err != nil {
		return bad(err.Error())
	}
	if rw {
		writable = src
	}
	return tine.HostDir(src, dst, rw), writable, nil
}

// parseTmpfs reads DST[:size=N].
func parseTmpfs(v string) (tine.Mount, error) {
	dst, opts, _ := strings.Cut(v, ":")
	if !strings.HasPrefix(dst, "/") {
		return tine.Mount{}, fmt.Errorf("--tmpfs %s: the path must be absolute", v)
	}
	var size int64
	if opts != "" {
		s, ok := strings.CutPrefix(opts, "size=")
		if !ok {
			return tine.Mount{}, fmt.Errorf("--tmpfs %s: the only option is size=N", v)
		}
		var err error
		if size, err = parseSize(s); err != nil {
			return tine.Mount{}, fmt.Errorf("--tmpfs %s: %w", v, err)
		}
	}
	return tine.Tmpfs(dst, size), nil
}

// parseUser reads USER[:GROUP], names or numbers. Names are looked up in the
// host's /etc/passwd and /etc/group, which are the machine's as well. Without
// GROUP the user has the groups of those files, as docker does it.
func parseUser(s string) (*tine.User, error) {
	name, group, hasGroup := strings.Cut(s, ":")
	u := &tine.User{}
	entry := etcLine("passwd", func(f []string) bool { return f[0] == name || f[2] == name })
	if id, err := strconv.ParseUint(name, 10, 32); err == nil {
		u.UID = uint32(id)
	} else if entry == nil {
		return nil, fmt.Errorf("-u %s: no user %s in /etc/passwd; a number always works", s, name)
	} else if u.UID, err = parseID(entry[2]); err != nil {
		return nil, fmt.Errorf("-u %s: /etc/passwd: %w", s, err)
	}
	if hasGroup {
		gid, err := parseGroup(group)
		if err != nil {
			return nil, fmt.Errorf("-u %s: %w", s, err)
		}
		u.GID = gid
		return u, nil
	}
	if entry == nil {
		return u, nil // a user that does not exist is in group 0
	}
	var err error
	if u.GID, err = parseID(entry[3]); err != nil {
		return nil, fmt.Errorf("-u %s: /etc/passwd: %w", s, err)
	}
	etcLine("group", func(f []string) bool {
		if gid, err := parseID(f[2]); err == nil && slices.Contains(strings.Split(f[3], ","), entry[0]) {
			u.Groups = append(u.Groups, gid)
		}
		return false
	})
	return u, nil
}

func parseID(s string) (uint32, error) {
	id, err := strconv.ParseUint(s, 10, 32)
	return uint32(id), err
}

func parseGroup(s string) (uint32, error) {
	if gid, err := parseID(s); err == nil {
		return gid, nil
	}
	entry := etcLine("group", func(f []string) bool { return f[0] == s })
	if entry == nil {
		return 0, fmt.Errorf("no group %s in /etc/group; a number always works", s)
	}
	return parseID(entry[2])
}

// etcLine finds the first line of /etc/passwd or /etc/group that match takes,
// and gives its fields.
func etcLine(file string, match func(fields []string) bool) []string {
	f, err := os.Open("/etc/" + file)
	if err != nil {
		return nil
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		if p := strings.Split(sc.Text(), ":"); len(p) >= 4 && match(p) {
			return p
		}
	}
	return nil
}

// environment is the program's: a short default, then the files, then -e.
func (f *runFlags) environment(user *tine.User) ([]string, error) {
	term, home := os.Getenv("TERM"), "/"
	if term == "" {
		term = "xterm"
	}
	if user == nil || user.UID == 0 {
		home = "/root"
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=" + home, "TERM=" + term,
	}
	for _, lang := range []string{"LANG", "LC_ALL", "LC_CTYPE", "TZ"} {
		if v, ok := os.LookupEnv(lang); ok {
			env = append(env, lang+"="+v)
		}
	}
	more, err := readEnvironment(f.envFiles, f.env)
	return control.MergeEnv(env, more), err
}

// readEnvironment reads what --env-file and -e say. A variable that is to have
// the host's value but has none there is, as with docker, left as it is by a
// file, but taken out by -e, for which it is listed by its name alone.
func readEnvironment(files, vars []string) (env []string, err error) {
	for _, file := range files {
		lines, err := readEnvFile(file)
		if err != nil {
			return nil, err
		}
		env = append(env, lines...)
	}
	for _, e := range vars {
		if e == "" || e[0] == '=' {
			return nil, fmt.Errorf("-e %q: want KEY=VALUE or KEY", e)
		}
		env = append(env, hostValue(e))
	}
	return env, nil
}

// hostValue gives KEY the host's value.
func hostValue(e string) string {
	if v, ok := os.LookupEnv(e); ok && !strings.Contains(e, "=") {
		return e + "=" + v
	}
	return e
}

// readEnvFile reads lines KEY=VALUE, or KEY for the host's value. A line that
// begins with # is a comment. Values are taken as they stand, quotes and blanks
// too.
func readEnvFile(name string) (env []string, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	text := strings.TrimPrefix(string(b), "\ufeff")
	for n, line := range strings.Split(text, "\n") {
		bad := func(why string) ([]string, error) {
			return nil, fmt.Errorf("--env-file %s, line %d: %s", name, n+1, why)
		}
		line = strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
		if !utf8.ValidString(line) {
			return bad("this is not UTF-8")
		}
		if line == "" || line[0] == '#' {
			continue
		}
		key, _, _ := strings.Cut(line, "=")
		switch {
		case key == "":
			return bad("there is no name before =")
		case strings.ContainsAny(key, " \t"):
			return bad(fmt.Sprintf("the name %q has blanks in it", key))
		}
		if line = hostValue(line); strings.Contains(line, "=") {
			env = append(env, line)
		}
	}
	return env, nil
}
