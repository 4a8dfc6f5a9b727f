//go:build !linux

package hostfs

import (
	"os"

	"github.com/tinevm/tine/internal/linux"
)

const canAllocate = false

func allocate(*os.File, uint32, int64, int64) linux.Errno { return linux.EOPNOTSUPP }
