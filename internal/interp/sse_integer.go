package interp

import "github.com/tinevm/tine/internal/x86"

// The most frequent packed operations have handlers of their own, which spare
// an indirect call per quadword.

func opPXOR(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = d[0]^s.lo, d[1]^s.hi
	}
	return ok
}

func opPOR(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = d[0]|s.lo, d[1]|s.hi
	}
	return ok
}

func opPAND(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = d[0]&s.lo, d[1]&s.hi
	}
	return ok
}

func opPCMPEQB(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = swarEqual(d[0], s.lo, topB, 8), swarEqual(d[1], s.hi, topB, 8)
	}
	return ok
}

func opPSUBB(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = swarSub(d[0], s.lo, topB), swarSub(d[1], s.hi, topB)
	}
	return ok
}

func opPADDD(c *core, o *op) bool {
	s, ok := c.source(o)
	d := &c.xmm[o.dst&15]
	if ok {
		d[0], d[1] = swarAdd(d[0], s.lo, topD), swarAdd(d[1], s.hi, topD)
	}
	return ok
}

func opPSHUFD(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.setXMM(o.dst, pshufd(s, s, uint8(o.imm)))
	}
	return ok
}

func opPUNPCKLQDQ(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.xmm[o.dst&15][1] = s.lo
	}
	return ok
}

func opPUNPCKLBW(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.setXMM(o.dst, punpcklbw(c.getXMM(o.dst), s))
	}
	return ok
}

func opPUNPCKLWD(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.setXMM(o.dst, punpcklwd(c.getXMM(o.dst), s))
	}
	return ok
}

func opPUNPCKLDQ(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.setXMM(o.dst, punpckldq(c.getXMM(o.dst), s))
	}
	return ok
}

func opPSHUFB(c *core, o *op) bool {
	s, ok := c.source(o)
	if ok {
		c.setXMM(o.dst, pshufb(c.getXMM(o.dst), s))
	}
	return ok
}

func setSSEInteger() {
	set(map[x86.Op]handler{
		x86.PXOR: opPXOR, x86.XORPS: opPXOR, x86.XORPD: opPXOR,
		x86.POR: opPOR, x86.ORPS: opPOR, x86.ORPD: opPOR,
		x86.PAND: opPAND, x86.ANDPS: opPAND, x86.ANDPD: opPAND,
		x86.PANDN: quads(pandn), x86.ANDNPS: quads(pandn), x86.ANDNPD: quads(pandn),

		x86.PADDB: quads(paddb), x86.PADDW: quads(paddw), x86.PADDD: opPADDD, x86.PADDQ: quads(paddq),
		x86.PSUBB: opPSUBB, x86.PSUBW: quads(psubw), x86.PSUBD: quads(psubd), x86.PSUBQ: quads(psubq),
		x86.PADDSB: quads(paddsb), x86.PADDSW: quads(paddsw),
		x86.PADDUSB: quads(paddusb), x86.PADDUSW: quads(paddusw),
		x86.PSUBSB: quads(psubsb), x86.PSUBSW: quads(psubsw),
		x86.PSUBUSB: quads(psubusb), x86.PSUBUSW: quads(psubusw),
		x86.PCMPEQB: opPCMPEQB, x86.PCMPEQW: quads(pcmpeqw),
		x86.PCMPEQD: quads(pcmpeqd), x86.PCMPEQQ: quads(pcmpeqq),
		x86.PCMPGTB: quads(pcmpgtb), x86.PCMPGTW: quads(pcmpgtw),
		x86.PCMPGTD: quads(pcmpgtd), x86.PCMPGTQ: quads(pcmpgtq),
		x86.PMINUB: quads(pminub), x86.PMINUW: quads(pminuw), x86.PMINUD: quads(pminud),
		x86.PMAXUB: quads(pmaxub), x86.PMAXUW: quads(pmaxuw), x86.PMAXUD: quads(pmaxud),
		x86.PMINSB: quads(pminsb), x86.PMINSW: quads(pminsw), x86.PMINSD: quads(pminsd),
		x86.PMAXSB: quads(pmaxsb), x86.PMAXSW: quads(pmaxsw), x86.PMAXSD: quads(pmaxsd),
		x86.PAVGB: quads(pavgb), x86.PAVGW: quads(pavgw),
		x86.PABSB: quads(pabsb), x86.PABSW: quads(pabsw), x86.PABSD: quads(pabsd),
		x86.PSIGNB: quads(psignb), x86.PSIGNW: quads(psignw), x86.PSIGND: quads(psignd),
		x86.PMULLW: quads(pmullw), x86.PMULHW: quads(pmulhw), x86.PMULHUW: quads(pmulhuw),
		x86.PMULHRSW: quads(pmulhrsw), x86.PMULLD: quads(pmulld),
		x86.PMULUDQ: quads(pmuludq), x86.PMULDQ: quads(pmuldq),
		x86.PMADDWD: quads(pmaddwd), x86.PMADDUBSW: quads(pmaddubsw), x86.PSADBW: quads(psadbw),

		x86.PSLLW: shifts(psllw), x86.PSLLD: shifts(pslld), x86.PSLLQ: shifts(psllq),
		x86.PSRLW: shifts(psrlw), x86.PSRLD: shifts(psrld), x86.PSRLQ: shifts(psrlq),
		x86.PSRAW: shifts(psraw), x86.PSRAD: shifts(psrad),
		x86.PSLLDQ: byteShift(pslldq), x86.PSRLDQ: byteShift(psrldq), x86.PALIGNR: wholeImm(palignr),

		x86.PUNPCKLBW: opPUNPCKLBW, x86.PUNPCKLWD: opPUNPCKLWD,
		x86.PUNPCKLDQ: opPUNPCKLDQ, x86.PUNPCKLQDQ: opPUNPCKLQDQ,
		x86.PUNPCKHBW: whole(punpckhbw), x86.PUNPCKHWD: whole(punpckhwd),
		x86.PUNPCKHDQ: whole(punpckhdq), x86.PUNPCKHQDQ: whole(punpckhqdq),
		x86.UNPCKLPS: whole(punpckldq), x86.UNPCKHPS: whole(punpckhdq),
		x86.UNPCKLPD: opPUNPCKLQDQ, x86.UNPCKHPD: whole(punpckhqdq),
		x86.PACKSSWB: whole(packsswb), x86.PACKUSWB: whole(packuswb),
		x86.PACKSSDW: whole(packssdw), x86.PACKUSDW: whole(packusdw),
		x86.PSHUFD: opPSHUFD, x86.PSHUFLW: wholeImm(pshuflw), x86.PSHUFHW: wholeImm(pshufhw),
		x86.SHUFPS: wholeImm(shufps), x86.SHUFPD: wholeImm(shufpd), x86.PSHUFB: opPSHUFB,
		x86.PBLENDVB: variableBlend(blendB), x86.BLENDVPS: variableBlend(blendD), x86.BLENDVPD: variableBlend(blendQ),
		x86.PBLENDW: wholeImm(pblendw), x86.BLENDPS: wholeImm(blendps), x86.BLENDPD: wholeImm(blendpd),
		x86.PINSRB: inserts(1), x86.PINSRW: inserts(2), x86.PINSRD: inserts(0),
		x86.PEXTRB: extracts(1), x86.PEXTRW: extracts(2), x86.PEXTRD: extracts(0), x86.EXTRACTPS: extracts(4),

		x86.PMOVSXBW: widens(8, 16, true), x86.PMOVZXBW: widens(8, 16, false),
		x86.PMOVSXBD: widens(8, 32, true), x86.PMOVZXBD: widens(8, 32, false),
		x86.PMOVSXBQ: widens(8, 64, true), x86.PMOVZXBQ: widens(8, 64, false),
		x86.PMOVSXWD: widens(16, 32, true), x86.PMOVZXWD: widens(16, 32, false),
		x86.PMOVSXWQ: widens(16, 64, true), x86.PMOVZXWQ: widens(16, 64, false),
		x86.PMOVSXDQ: widens(32, 64, true), x86.PMOVZXDQ: widens(32, 64, false),
		x86.PHADDW: whole(phaddw), x86.PHADDD: whole(phaddd), x86.PHADDSW: whole(phaddsw),
		x86.PHSUBW: whole(phsubw), x86.PHSUBD: whole(phsubd), x86.PHSUBSW: whole(phsubsw),
		x86.PHMINPOSUW: whole(phminposuw), x86.MPSADBW: wholeImm(mpsadbw),
	})
}
