package kernel

import (
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// LookPath finds the program that name means to process p: itself if it has a
// slash, otherwise the first executable of that name in p's PATH, as execvp(3)
// does. The kernel lock is held.
func (k *Kernel) LookPath(name string, p *Process) (string, linux.Errno) {
	if name == "" {
		return "", linux.ENOENT
	}
	if strings.Contains(name, "/") {
		return name, 0
	}
	path := "/usr/local/bin:/bin:/usr/bin"
	for _, kv := range p.Env {
		if v, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = v
		}
	}
	result := linux.ENOENT
	for _, dir := range strings.Split(path, ":") {
		if dir == "" {
			dir = "."
		}
		full := dir + "/" + name
		switch errno := k.executable(full, p); errno {
		case 0:
			return full, 0
		case linux.EACCES:
			result = errno
		}
	}
	return "", result
}

// executable tells whether p could execute a file.
func (k *Kernel) executable(name string, p *Process) linux.Errno {
	c, errno := k.startContext(p)
	if errno != 0 {
		return errno
	}
	defer c.Cwd.Put()
	f, errno := vfs.OpenExec(c, c.Cwd, name, 0)
	if errno == 0 {
		f.Put()
	}
	return errno
}

// CheckDir tells whether p's working directory is one, so that its absence is
// not taken for that of the program. The kernel lock is held.
func (k *Kernel) CheckDir(p *Process) linux.Errno {
	c, errno := k.startContext(p)
	if errno != 0 {
		return errno
	}
	defer c.Cwd.Put()
	if a, errno := c.Cwd.Attr(); errno != 0 || a.IsDir() {
		return errno
	}
	return linux.ENOTDIR
}

// startContext is where p will be when it starts. The reference on its Cwd is
// the caller's; the machine's file tree keeps the root.
func (k *Kernel) startContext(p *Process) (*vfs.Context, linux.Errno) {
	root := k.cfg.Root.Root()
	c := &vfs.Context{Root: root, Cwd: root, Cred: &p.Cred.Cred, Mounts: k.cfg.Root, Now: k.realtime}
	if p.Dir == "" {
		return c, 0
	}
	defer root.Put()
	var errno linux.Errno
	c.Cwd, errno = vfs.Lookup(c, root, p.Dir, 0)
	return c, errno
}

// SignalForeground sends a signal to the whole process group of a process, as a
// terminal does. The kernel lock is held.
func (k *Kernel) SignalForeground(pid int, sig linux.Signal) linux.Errno {
	g := k.pids.process(pid)
	if g == nil || g.pgrp == nil {
		return linux.ESRCH
	}
	if g.tty != nil {
		g.tty.Signal(sig)
		return 0
	}
	k.signalPgrp(g.pgrp, sig, kernelSignal(sig))
	return 0
}

// Instructions is the number of guest instructions executed so far, without
// those of tasks that are in guest mode now. The kernel lock is held.
func (k *Kernel) Instructions() (n uint64) {
	for _, p := range k.cpus {
		n += p.insns
	}
	return n
}
