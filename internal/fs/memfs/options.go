package memfs

import (
	"strconv"
	"strings"

	"github.com/tinevm/tine/internal/linux"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/vfs"
)

// parse reads the mount options of tmpfs(5).
func (o *Options) parse(c *vfs.Context, data string) linux.Errno {
	for _, opt := range strings.Split(data, ",") {
		if opt == "" {
			continue
		}
		key, value, _ := strings.Cut(opt, "=")
		err, ok := false, true
		switch key {
		case "size":
			o.Size, err = o.parseSize(value)
		case "nr_blocks":
			o.Size, err = o.parseSize(value)
			o.Size *= mm.PageSize
		case "nr_inodes":
			o.Inodes, err = o.parseSize(value)
		case "mode":
			o.Mode, err = parseNumber(value, 8)
		case "uid":
			o.UID, err = parseNumber(value, 10)
			o.UID, ok = c.Cred.OwnUID(o.UID, !err)
		case "gid":
			o.GID, err = parseNumber(value, 10)
			o.GID, ok = c.Cred.OwnGID(o.GID, !err)
		case "huge", "mpol", "inode32", "inode64", "noswap", "quota", "usrquota", "grpquota":
		default:
			err = o.Type != "ramfs" // which knows none, and takes any
		}
		if err || !ok {
			return linux.EINVAL
		}
	}
	return 0
}

func parseNumber(s string, base int) (uint32, bool) {
	n, err := strconv.ParseUint(s, base, 32)
	return uint32(n), err != nil
}

// parseSize reads a number with suffix k, m or g, or a percentage of memory.
func (o *Options) parseSize(s string) (int64, bool) {
	unit := int64(1)
	switch {
	case s == "":
		return 0, true
	case strings.HasSuffix(s, "%"):
		if unit = 1 << 20; o.Account != nil && o.Account.Limit() != 0 {
			unit = o.Account.Limit() / 100
		}
		s = s[:len(s)-1]
	default:
		if i := strings.IndexByte("kmgt", s[len(s)-1]|0x20); i >= 0 {
			unit = 1 << (10 * (i + 1))
			s = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/unit {
		return 0, true
	}
	return n * unit, false
}
