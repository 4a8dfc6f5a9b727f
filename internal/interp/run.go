package interp

import "github.com/tinevm/tine/internal/mm"

type runner struct{}

func dropFrame(f mm.Frame) { f.ClearCode() }
