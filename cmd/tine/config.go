package main

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/tinevm/tine"
)

// config translates the flags. filter is the set of system calls to trace.
func (f *runFlags) config() (cfg tine.Config, filter string, err error) {
	cfg = tine.Config{
		Hostname: f.hostname, MaxProcs: f.pidsLimit, CPUs: f.cpus, Dir: f.workdir,
		ParentFirst: f.parentFirst, Bare: f.bare, Engine: f.engine,
	}
	if f.pidsLimit < 0 || f.cpus < 0 || f.timeout < 0 {
		return cfg, "", fmt.Errorf("--pids-limit, --cpus and --timeout cannot be negative")
	}
	if f.pidsLimit > 0 {
		cfg.MaxProcs++ // the built-in init is not the user's
	}
	if f.memory != "" {
		if cfg.Memory, err = parseSize(f.memory); err != nil {
			return cfg, "", fmt.Errorf("-m %s: %w", f.memory, err)
		}
	}
	if cfg.Limits, err = parseUlimits(f.ulimits); err != nil {
		return cfg, "", err
	}
	for _, v := range f.volumes {
		m, err := parseVolume(v)
		if err != nil {
			return cfg, "", err
		}
		cfg.Mounts = append(cfg.Mounts, m)
	}
	for _, v := range f.tmpfs {
		m, err := parseTmpfs(v)
		if err != nil {
			return cfg, "", err
		}
		cfg.Mounts = append(cfg.Mounts, m)
	}
	if f.user != "" {
		if cfg.User, err = parseUser(f.user); err != nil {
			return cfg, "", err
		}
	}
	return cfg, f.takeFilter(), nil
}

// takeFilter removes the -e trace=SET arguments from the environment flags
// when tracing, as strace spells them.
func (f *runFlags) takeFilter() (filter string) {
	if !f.strace {
		return ""
	}
	kept := f.env[:0]
	for _, e := range f.env {
		if v, ok := strings.CutPrefix(e, "trace="); ok {
			filter = v
		} else {
			kept = append(kept, e)
		}
	}
	f.env = kept
	return filter
}

// parseSize reads a number of bytes with an optional unit b, k, m, g or t.
func parseSize(s string) (int64, error) {
	t := strings.TrimSuffix(strings.ToLower(s), "b")
	shift := 0
	if i := strings.IndexByte("kmgt", lastByte(t)); i >= 0 {
		shift = 10 * (i + 1)
		t = t[:len(t)-1]
	}
	n, err := strconv.ParseInt(t, 10, 64)
	if err != nil || n <= 0 || n<<shift>>shift != n {
		return 0, fmt.Errorf("want a positive number of bytes such as 512m or 2g")
	}
	return n << shift, nil
}

func lastByte(s string) byte {
	if s == "" {
		return 0
	}
	return s[len(s)-1]
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

// parseVolume reads SRC:DST[:ro|:rw].
func parseVolume(v string) (tine.Mount, error) {
	bad := func(why string) (tine.Mount, error) {
		return tine.Mount{}, fmt.Errorf("-v %s: %s", v, why)
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
	src, err := filepath.Abs(src)
	if err != nil {
		return bad(err.Error())
	}
	if _, err := os.Stat(src); err != nil {
		return bad(err.Error())
	}
	return tine.HostDir(src, dst, rw), nil
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

// parseUser reads UID[:GID], or a user's name from the host's /etc/passwd,
// which is the machine's as well.
func parseUser(s string) (*tine.User, error) {
	name, group, hasGroup := strings.Cut(s, ":")
	u := &tine.User{}
	if uid, err := strconv.ParseUint(name, 10, 32); err == nil {
		u.UID = uint32(uid)
		u.GID = u.UID
		if id, ok := lookupPasswd(2, name); ok {
			u.GID = id.gid
		}
	} else if id, ok := lookupPasswd(0, name); ok {
		u.UID, u.GID = id.uid, id.gid
	} else {
		return nil, fmt.Errorf("-u %s: no such user in /etc/passwd; a number always works", s)
	}
	if hasGroup {
		gid, err := strconv.ParseUint(group, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("-u %s: the group must be a number", s)
		}
		u.GID = uint32(gid)
	}
	return u, nil
}

type passwdEntry struct{ uid, gid uint32 }

// lookupPasswd finds the line of /etc/passwd whose given field is value.
func lookupPasswd(field int, value string) (e passwdEntry, ok bool) {
	f, err := os.Open("/etc/passwd")
	if err != nil {
		return e, false
	}
	defer f.Close()
	for sc := bufio.NewScanner(f); sc.Scan(); {
		p := strings.Split(sc.Text(), ":")
		if len(p) < 4 || p[field] != value {
			continue
		}
		uid, err1 := strconv.ParseUint(p[2], 10, 32)
		gid, err2 := strconv.ParseUint(p[3], 10, 32)
		return passwdEntry{uint32(uid), uint32(gid)}, err1 == nil && err2 == nil
	}
	return e, false
}

// environment is the program's: a short default, then the files, then -e.
func (f *runFlags) environment() ([]string, error) {
	term := os.Getenv("TERM")
	if term == "" {
		term = "xterm"
	}
	env := []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/", "TERM=" + term,
	}
	for _, lang := range []string{"LANG", "LC_ALL", "LC_CTYPE", "TZ"} {
		if v, ok := os.LookupEnv(lang); ok {
			env = append(env, lang+"="+v)
		}
	}
	for _, file := range f.envFiles {
		lines, err := readEnvFile(file)
		if err != nil {
			return nil, err
		}
		env = append(env, lines...)
	}
	for _, e := range f.env {
		if e == "" || e[0] == '=' {
			return nil, fmt.Errorf("-e %q: want KEY=VALUE or KEY", e)
		}
		if strings.Contains(e, "=") {
			env = append(env, e)
		} else if v, ok := os.LookupEnv(e); ok {
			env = append(env, e+"="+v)
		}
	}
	return env, nil
}

// readEnvFile reads KEY=VALUE lines; # begins a comment line, and KEY alone
// takes the host's value.
func readEnvFile(name string) (env []string, err error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--env-file: %w", err)
	}
	for n, line := range strings.Split(string(b), "\n") {
		line = strings.TrimLeft(strings.TrimSuffix(line, "\r"), " \t")
		if line == "" || line[0] == '#' {
			continue
		}
		key, _, ok := strings.Cut(line, "=")
		if key == "" || strings.ContainsAny(key, " \t") {
			return nil, fmt.Errorf("--env-file %s:%d: want KEY=VALUE", name, n+1)
		}
		if ok {
			env = append(env, line)
		} else if v, ok := os.LookupEnv(key); ok {
			env = append(env, key+"="+v)
		}
	}
	return env, nil
}
