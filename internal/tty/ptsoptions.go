package tty

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/vfs"
)

// ptsOptions are the mount options of devpts (mount(8)).
type ptsOptions struct {
	setUID, setGID bool
	uid, gid       uint32 // of new terminals; otherwise those of their makers
	mode           uint32 // of new terminals
	ptmxMode       uint32
	most           int // terminals
}

// maxIndex is the limit of an instance without another (NR_UNIX98_PTY_MAX).
const maxIndex = 1 << 20

// ownOptions are those of the machine's own instance; 5 is the group tty.
var ownOptions = ptsOptions{setGID: true, gid: 5, mode: 0o620, ptmxMode: 0o666, most: maxIndex}

func parsePtsOptions(c *vfs.Context, data string) (ptsOptions, linux.Errno) {
	o := ptsOptions{mode: 0o600, most: maxIndex}
	for _, opt := range strings.Split(data, ",") {
		if opt == "" || opt == "newinstance" { // each mount is one, since Linux 4.7
			continue
		}
		key, value, _ := strings.Cut(opt, "=")
		base := 10
		if strings.HasSuffix(key, "mode") {
			base = 8
		}
		v, err := strconv.ParseUint(value, base, 31)
		n, ok := uint32(v), err == nil
		switch key {
		case "uid":
			o.setUID = true
			o.uid, ok = c.Cred.OwnUID(n, ok)
		case "gid":
			o.setGID = true
			o.gid, ok = c.Cred.OwnGID(n, ok)
		case "mode":
			o.mode = n & 0o7777
		case "ptmxmode":
			o.ptmxMode = n & 0o7777
		case "max":
			o.most = int(n)
			ok = ok && n <= maxIndex
		default:
			ok = false
		}
		if !ok {
			return o, linux.EINVAL
		}
	}
	return o, 0
}

// String is what /proc/mounts shows.
func (o *ptsOptions) String() string {
	var list []string
	if o.setUID {
		list = append(list, fmt.Sprintf("uid=%d", o.uid))
	}
	if o.setGID {
		list = append(list, fmt.Sprintf("gid=%d", o.gid))
	}
	list = append(list, fmt.Sprintf("mode=%03o,ptmxmode=%03o", o.mode, o.ptmxMode))
	if o.most < maxIndex {
		list = append(list, fmt.Sprintf("max=%d", o.most))
	}
	return strings.Join(list, ",")
}
