package interp

import (
	"github.com/tinevm/tine/internal/x86"
	"github.com/tinevm/tine/internal/x87"
)

// opFLD loads a single, a double, an extended number or ST(i).
func opFLD(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	switch {
	case o.form == formR:
		s.LoadST(int(o.dst))
	case o.size == 10:
		v, ok := c.load80(c.ea(o))
		if !ok {
			return false
		}
		s.LoadF80(v)
	default:
		v, de, ok := c.fpuLoad(o)
		if !ok {
			return false
		}
		s.Load(v, de)
	}
	return c.retire(s, o)
}

func (c *core) load80(va uint64) (x87.F80, bool) {
	var b [10]byte
	ok := c.aligned(va, 8) && c.loadBytes(va, b[:])
	return x87.GetF80(b[:]), ok
}

func opFILD(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	v, ok := c.fpuLoadInt(o)
	if !ok {
		return false
	}
	s.LoadF80(v)
	return c.retire(s, o)
}

func opFBLD(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	var b x87.BCD
	if va := c.ea(o); !c.aligned(va, 8) || !c.loadBytes(va, b[:]) {
		return false
	}
	s.LoadF80(x87.FromBCD(b))
	return c.retire(s, o)
}

// fpuStored ends a store that the unit has already executed: if memory
// faulted, it is undone.
func (c *core) fpuStored(s *x87.State, o *op, sw, tw uint16, ok bool) bool {
	if !ok {
		s.SW, s.TW = sw, tw
		return false
	}
	return c.retire(s, o)
}

// fpuStore makes a handler of FST or FSTP. A store that an unmasked exception
// suppresses still needs memory that can be written.
func fpuStore(pop bool) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		if o.form == formR {
			s.StoreST(int(o.dst), pop)
			return c.retire(s, o)
		}
		sw, tw, va := s.SW, s.TW, c.ea(o)
		var ok bool
		switch o.size {
		case 4:
			v, store := s.StoreF32(pop)
			ok = store && c.store32(va, v) || !store && c.aligned(va, 4) && c.probeWrite(va, 4)
		case 8:
			v, store := s.StoreF64(pop)
			ok = store && c.store64(va, v) || !store && c.aligned(va, 8) && c.probeWrite(va, 8)
		default:
			v, store := s.StoreF80()
			var b [10]byte
			x87.PutF80(b[:], v)
			ok = c.aligned(va, 8) && c.storeIf(va, b[:], store)
		}
		return c.fpuStored(s, o, sw, tw, ok)
	}
}

// storeIf stores p, or only checks that it could.
func (c *core) storeIf(va uint64, p []byte, store bool) bool {
	if store {
		return c.storeBytes(va, p)
	}
	return c.probeWrite(va, uint64(len(p)))
}

// fpuStoreInt makes a handler of FIST, FISTP and FISTTP.
func fpuStoreInt(truncate, pop bool) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		sw, tw, va := s.SW, s.TW, c.ea(o)
		v, store := s.StoreInt(8*int(o.size), truncate, pop)
		ok := store && c.store(va, o.size, uint64(v)) || !store && c.aligned(va, uint64(o.size)) && c.probeWrite(va, uint64(o.size))
		return c.fpuStored(s, o, sw, tw, ok)
	}
}

func opFBSTP(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	sw, tw := s.SW, s.TW
	b, store := s.StoreBCD()
	va := c.ea(o)
	return c.fpuStored(s, o, sw, tw, c.aligned(va, 8) && c.storeIf(va, b[:], store))
}

func opFSTPNCE(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	s.StorePopST(int(o.dst))
	return c.retire(s, o)
}

func opFXCH(c *core, o *op) bool {
	s := c.fpu()
	if s == nil {
		return false
	}
	s.Xch(int(o.src))
	return c.retire(s, o)
}

// fpuFree makes a handler of FFREE and FFREEP.
func fpuFree(pop bool) handler {
	return func(c *core, o *op) bool {
		s := c.fpu()
		if s == nil {
			return false
		}
		s.Free(int(o.dst), pop)
		return c.retire(s, o)
	}
}

func setX87Move() {
	set(map[x86.Op]handler{
		x86.FLD: opFLD, x86.FILD: opFILD, x86.FBLD: opFBLD,
		x86.FST: fpuStore(false), x86.FSTP: fpuStore(true), x86.FBSTP: opFBSTP, x86.FSTPNCE: opFSTPNCE,
		x86.FIST: fpuStoreInt(false, false), x86.FISTP: fpuStoreInt(false, true), x86.FISTTP: fpuStoreInt(true, true),
		x86.FXCH: opFXCH, x86.FFREE: fpuFree(false), x86.FFREEP: fpuFree(true),
		x86.FINCSTP: fpuStack((*x87.State).IncTop), x86.FDECSTP: fpuStack((*x87.State).DecTop),
	})
}
