package vfs

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tinevm/tine/internal/linux"
)

// MountInfo describes one mount for /proc/PID/mountinfo.
type MountInfo struct {
	ID, Parent   int
	Dev          uint64
	Root         string // what is shown of the file system
	Point        string // where, seen from the reader's root
	Options      string
	Type, Source string
	SuperOptions string
	Propagation  string // " shared:1 master:2" and so on
}

// List describes the mounts below root, parents before children.
func (ns *Namespace) List(root Path) (list []MountInfo) {
	var visit func(m *Mount)
	visit = func(m *Mount) {
		if info, ok := m.info(root); ok {
			list = append(list, info)
		}
		for _, c := range m.children {
			visit(c)
		}
	}
	visit(ns.root)
	return list
}

func (m *Mount) info(root Path) (MountInfo, bool) {
	point, reachable := Path{m, m.root}.name(root)
	if !reachable {
		return MountInfo{}, false
	}
	info := MountInfo{
		ID: m.ID, Parent: m.ID, Dev: m.sb.Dev, Root: m.root.pathInFS(), Point: point,
		Options: m.options(), Type: m.sb.FS.Type(), Source: m.Source, SuperOptions: "rw",
	}
	if _, b := (Path{m, m.root}).bindable(); b != nil {
		info.Root = b.BindName()
	}
	if m.parent != nil {
		info.Parent = m.parent.ID
	}
	info.Propagation = m.propagationText(root)
	if m.sb.ReadOnly {
		info.SuperOptions = "ro"
	}
	if o, ok := m.sb.FS.(Optioned); ok && o.Options() != "" {
		info.SuperOptions += "," + o.Options()
	}
	return info, true
}

// propagationText are the optional fields of mountinfo: the peer group, the
// group that m is a slave of and, if the reader at root sees none of that, the
// nearest above it that he does see.
func (m *Mount) propagationText(root Path) (s string) {
	if m.peers != nil {
		s += fmt.Sprintf(" shared:%d", m.peers.id)
	}
	if m.master != nil {
		s += fmt.Sprintf(" master:%d", m.master.id)
		for g := m.master; g != nil; g = g.members[0].master {
			if g.seenFrom(m.ns, root) {
				if g != m.master {
					s += fmt.Sprintf(" propagate_from:%d", g.id)
				}
				break
			}
		}
	}
	if m.unbindable {
		s += " unbindable"
	}
	return s
}

// seenFrom reports whether a mount of the group is below root.
func (g *peerGroup) seenFrom(ns *Namespace, root Path) bool {
	return slices.ContainsFunc(g.members, func(m *Mount) bool {
		return m.ns == ns && below(Path{m, m.root}, root)
	})
}

// pathInFS is the name of d from the root of its file system.
func (d *Dentry) pathInFS() string {
	s := ""
	for ; d.parent != nil; d = d.parent {
		s = "/" + d.name + s
	}
	if s == "" {
		return "/"
	}
	return s
}

// options are the mount's flags in words.
func (m *Mount) options() string {
	s := "rw"
	if m.ReadOnly() {
		s = "ro"
	}
	for _, o := range []struct {
		flag uint64
		name string
	}{
		{linux.MS_NOSUID, "nosuid"}, {linux.MS_NODEV, "nodev"}, {linux.MS_NOEXEC, "noexec"},
		{linux.MS_NOATIME, "noatime"}, {linux.MS_NODIRATIME, "nodiratime"}, {linux.MS_RELATIME, "relatime"},
		{msNoSymfollow, "nosymfollow"},
	} {
		if m.Flags&o.flag != 0 {
			s += "," + o.name
		}
	}
	return s
}

// escape writes a name as /proc shows it: blanks in octal.
var escape = strings.NewReplacer(" ", `\040`, "\t", `\011`, "\n", `\012`, `\`, `\134`).Replace

// MountinfoText is the contents of /proc/PID/mountinfo.
func MountinfoText(list []MountInfo) string {
	var b strings.Builder
	for _, m := range list {
		fmt.Fprintf(&b, "%d %d %d:%d %s %s %s%s - %s %s %s\n", m.ID, m.Parent, Major(m.Dev), Minor(m.Dev),
			escape(m.Root), escape(m.Point), m.Options, m.Propagation, m.Type, escape(m.Source), m.SuperOptions)
	}
	return b.String()
}

// MountsText is the contents of /proc/PID/mounts.
func MountsText(list []MountInfo) string {
	var b strings.Builder
	for _, m := range list {
		options := m.Options
		if _, rest, ok := strings.Cut(m.SuperOptions, ","); ok {
			options += "," + rest
		}
		fmt.Fprintf(&b, "%s %s %s %s 0 0\n", escape(m.Source), escape(m.Point), m.Type, options)
	}
	return b.String()
}
