package trace

import "github.com/tinevm/tine/internal/linux"

// memoryKinds are the kinds of memory.
func memoryKinds() map[string]kind {
	nodes := func(mask, max int) func(d *decoder, _ int) {
		return func(d *decoder, _ int) {
			n := (d.args[max] + 62) / 64
			d.array(d.args[mask], n, 8, func(b []byte) { d.f("0x%016x", u64(b, 0)) })
		}
	}
	policy := func(d *decoder, v uint64) {
		const flags = 0xe000 // MPOL_MODE_FLAGS
		d.value(mempolicies, v&^flags, "MPOL_???")
		if v&flags != 0 {
			d.str("|")
			d.flags(mempolicyFlags, v&flags, "")
		}
	}
	return map[string]kind{
		"prot": now(func(d *decoder, a uint64) {
			if a == 0 {
				d.str("PROT_NONE")
			} else {
				d.flags(prot, a, "PROT_???")
			}
		}),
		"mmapflags":   now(printMmapFlags),
		"mapoff":      now((*decoder).x),
		"mremapflags": set64(mremapFlags, "MREMAP_???"),
		"mremapaddr": {print: func(d *decoder, i int) {
			if d.args[3]&(linux.MREMAP_FIXED|linux.MREMAP_DONTUNMAP) != 0 {
				d.ptr(d.args[i])
			}
		}},
		"msync":       set(msyncFlags, "MS_???"),
		"madvise":     one(madvice, "MADV_???"),
		"mlockall":    set(mlockallFlags, "MCL_???"),
		"mlock2flags": set(mlock2Flags, "MLOCK_???"),
		"mincore>": {late: true, print: func(d *decoder, i int) {
			if d.failed() {
				d.ptr(d.args[i])
				return
			}
			n := (d.args[1] + 4095) / 4096
			d.array(d.args[i], n, 1, func(b []byte) { d.uint(uint64(b[0] & 1)) })
		}},
		"mempolicy":   now(policy),
		"mempolicy>":  later(func(d *decoder, a uint64) { d.indirect(a, 4, func(b []byte) { policy(d, u32(b, 0)) }) }),
		"pkeyrights":  set64(pkeyRights, "PKEY_???"),
		"setnodes":    {print: nodes(1, 2)},
		"getnodes>":   {late: true, print: nodes(1, 2)},
		"bindnodes":   {print: nodes(3, 4)},
		"mempolflags": set64(mempolicyGet, "MPOL_???"),
		"membarrier":  one(membarrierOps, "MEMBARRIER_CMD_???"),
	}
}

// printMmapFlags writes the kind of the mapping, then the flags.
func printMmapFlags(d *decoder, a uint64) {
	d.value(mmapType, a&linux.MAP_TYPE, "MAP_???")
	if a &^= linux.MAP_TYPE; a != 0 {
		d.str("|")
		d.flags(mmapFlags, a, "")
	}
}
