// Command mkrun writes zrun.go: the run loop with the most frequent forms of
// instructions inline. They are many, and alike but for size and operands.
package main

import (
	"bytes"
	"fmt"
	"go/format"
	"log"
	"os"
	"slices"
	"strings"
)

// gen collects the cases of the loop, the names of the codes, and the entries
// of the tables that choose them.
type gen struct {
	cases  bytes.Buffer
	names  []string
	plain  []string // hot[x][form][size][variant] = code
	fused  []string // hotFused[...] = code
	bodies map[string]string
	pairs  []string // pair codes
}

// sizes of operands: the suffix of names, the logarithm, the Go type.
type size struct {
	name  string
	bytes int
	log   int
	typ   string
}

var (
	sizeB = size{"B", 1, 0, "uint8"}
	sizeW = size{"W", 2, 1, "uint16"}
	sizeD = size{"D", 4, 2, "uint32"}
	sizeQ = size{"Q", 8, 3, "uint64"}
	dq    = []size{sizeD, sizeQ}
)

// Variants of an address: base and displacement, or an index as well.
var addresses = []struct{ name, expr string }{
	{"", "c.r[o.base] + o.disp"},
	{"X", "c.r[o.base] + c.r[o.index]<<(o.scale&63) + o.disp"},
}

func (g *gen) code(name, body string) {
	g.names = append(g.names, name)
	g.bodies[name] = body
	fmt.Fprintf(&g.cases, "\t\tcase %s:\n%s\n", name, body)
}

// choose enters a code for an operation, form and size. variant is 0, or 1 for
// an address with index, or the logarithm of the source size.
func (g *gen) choose(name, x, form string, s size, variant int) {
	g.plain = append(g.plain, fmt.Sprintf("hot[x86.%s][%s][%d][%d] = %s", x, form, s.log, variant, name))
}

func load(s size, addr, slow string) string {
	return fmt.Sprintf(`va := %s
			e := &c.rt[va>>mm.PageShift&tlbMask]
			if e.tag != (va+%d)&^pageMask|ctx { goto %s }
			m := *(*%s)(unsafe.Add(unsafe.Pointer(nil), uintptr(va+e.delta)))
`, addr, s.bytes-1, slow, s.typ)
}

// ref makes p a pointer to memory that can be written.
func ref(s size, addr string) string {
	return fmt.Sprintf(`va := %s
			e := &c.wt[va>>mm.PageShift&tlbMask]
			if e.tag != (va+%d)&^pageMask|ctx { goto slow }
			p := (*%s)(unsafe.Add(unsafe.Pointer(nil), uintptr(va+e.delta)))
`, addr, s.bytes-1, s.typ)
}

func flags(kind string, s size, a, b string) string {
	return fmt.Sprintf("c.fk, c.fa, c.fb = %s|size%s, %s, %s\n", kind, s.name, a, b)
}

// setReg writes a result to a register.
func setReg(s size, reg, v string) string {
	switch s.bytes {
	case 8:
		return fmt.Sprintf("c.r[%s] = %s\n", reg, v)
	case 4:
		return fmt.Sprintf("c.r[%s] = uint64(uint32(%s))\n", reg, v)
	case 2:
		return fmt.Sprintf("c.r[%s] = c.r[%s]&^0xffff | uint64(uint16(%s))\n", reg, reg, v)
	}
	return fmt.Sprintf("c.r[%s] = c.r[%s]&^0xff | uint64(uint8(%s))\n", reg, reg, v)
}

type alu struct {
	x, op string
	flags func(s size) string // after a and b are there, r the result
	write bool
}

var alus = []alu{
	{"ADD", "a + b", func(s size) string { return flags("fkAdd", s, "a", "b") }, true},
	{"SUB", "a - b", func(s size) string { return flags("fkSub", s, "a", "b") }, true},
	{"AND", "a & b", logic, true},
	{"OR", "a | b", logic, true},
	{"XOR", "a ^ b", logic, true},
	{"CMP", "", func(s size) string { return flags("fkSub", s, "a", "b") }, false},
	{"TEST", "a & b", logic, false},
}

// logic leaves fb alone, which has no meaning for fkLogic.
func logic(s size) string { return fmt.Sprintf("c.fk, c.fa = fkLogic|size%s, r\n", s.name) }

func (g *gen) arithmetic() {
	for _, a := range alus {
		sizes := dq
		if a.x == "CMP" || a.x == "TEST" || a.x == "AND" || a.x == "OR" || a.x == "XOR" || a.x == "ADD" || a.x == "SUB" {
			sizes = []size{sizeB, sizeD, sizeQ}
		}
		if !a.write {
			sizes = append(sizes, sizeW) // compilers compare words, and compute with more
		}
		for _, s := range sizes {
			body := func() string {
				var b string
				if a.op != "" {
					b = "r := " + a.op + "\n"
				}
				b += a.flags(s)
				if a.write {
					b += setReg(s, "o.dst", "r")
				}
				return b
			}
			name := "code" + a.x + s.name
			g.code(name+"RR", "a, b := c.r[o.dst], c.r[o.src]\n"+body())
			g.choose(name+"RR", a.x, "formRR", s, 0)
			g.code(name+"RI", "a, b := c.r[o.dst], uint64(o.imm)\n"+body())
			g.choose(name+"RI", a.x, "formRI", s, 0)
			for v, ad := range addresses {
				n := name + "RM" + ad.name
				if a.x != "TEST" {
					g.code(n, load(s, ad.expr, "slow")+"a, b := c.r[o.dst], uint64(m)\n"+body())
					g.choose(n, a.x, "formRM", s, v)
				}
				for _, f := range []struct{ form, src string }{{"MR", "c.r[o.src]"}, {"MI", "uint64(o.imm)"}} {
					n := name + f.form + ad.name
					if a.write {
						r := "r := " + a.op + "\n"
						g.code(n, ref(s, ad.expr)+"a, b := uint64(*p), "+f.src+"\n"+r+a.flags(s)+fmt.Sprintf("*p = %s(r)\n", s.typ))
					} else {
						g.code(n, load(s, ad.expr, "slow")+"a, b := uint64(m), "+f.src+"\n"+body())
					}
					g.choose(n, a.x, "form"+f.form, s, v)
				}
			}
		}
	}
	for _, s := range dq {
		for _, a := range []struct{ x, kind, op string }{{"ADC", "fkAdd", "a + b + cf"}, {"SBB", "fkSub", "a - b - cf"}} {
			for _, f := range []struct{ form, src string }{{"RR", "c.r[o.src]"}, {"RI", "uint64(o.imm)"}} {
				n := "code" + a.x + s.name + f.form
				g.code(n, "cf := c.carry()\na, b := c.r[o.dst], "+f.src+"\n"+
					fmt.Sprintf("c.fk, c.fa, c.fb = %s|size%s+4*uint8(cf), a, b\n", a.kind, s.name)+setReg(s, "o.dst", a.op))
				g.choose(n, a.x, "form"+f.form, s, 0)
			}
			for v, ad := range addresses {
				n := "code" + a.x + s.name + "RM" + ad.name
				g.code(n, load(s, ad.expr, "slow")+"cf := c.carry()\na, b := c.r[o.dst], uint64(m)\n"+
					fmt.Sprintf("c.fk, c.fa, c.fb = %s|size%s+4*uint8(cf), a, b\n", a.kind, s.name)+setReg(s, "o.dst", a.op))
				g.choose(n, a.x, "formRM", s, v)
			}
		}
		for _, a := range []struct{ x, kind, op string }{{"INC", "fkInc", "a + 1"}, {"DEC", "fkDec", "a - 1"}} {
			n := "code" + a.x + s.name
			g.code(n+"R", "a := c.r[o.dst]\n"+flags(a.kind, s, "a", "c.carry()")+setReg(s, "o.dst", a.op))
			g.choose(n+"R", a.x, "formR", s, 0)
		}
		n := "codeNEG" + s.name
		g.code(n, "a := c.r[o.dst]\n"+flags("fkSub", s, "0", "a")+setReg(s, "o.dst", "-a"))
		g.choose(n, "NEG", "formR", s, 0)
		n = "codeNOT" + s.name
		g.code(n, setReg(s, "o.dst", "^c.r[o.dst]"))
		g.choose(n, "NOT", "formR", s, 0)
	}
}

// idioms are forms of other sizes that compiled programs have in hot loops: the
// carry as a mask, a counter of sixteen bits, a bit of a set.
func (g *gen) idioms() {
	g.code("codeSBBBRR", "cf := c.carry()\na, b := c.r[o.dst], c.r[o.src]\nc.fk, c.fa, c.fb = fkSub|sizeB+4*uint8(cf), a, b\n"+setReg(sizeB, "o.dst", "a - b - cf"))
	g.choose("codeSBBBRR", "SBB", "formRR", sizeB, 0)
	g.code("codeNEGW", "a := c.r[o.dst]\n"+flags("fkSub", sizeW, "0", "a")+setReg(sizeW, "o.dst", "-a"))
	g.choose("codeNEGW", "NEG", "formR", sizeW, 0)
	g.code("codeSHRWI", "n, a := uint64(o.imm)&31, uint64(uint16(c.r[o.dst]))\n"+setReg(sizeW, "o.dst", "a >> n")+flags("fkShr", sizeW, "a", "n"))
	g.choose("codeSHRWI", "SHR", "formRI", sizeW, 0)
	for _, s := range dq {
		for _, f := range []struct{ form, src string }{{"RR", "c.r[o.src]"}, {"RI", "uint64(o.imm)"}} {
			n := "codeBT" + s.name + f.form
			g.code(n, fmt.Sprintf("c.setCarry(c.r[o.dst] >> (%s & %d) & 1)\n", f.src, 8*s.bytes-1))
			g.choose(n, "BT", "form"+f.form, s, 0)
		}
	}
}

func (g *gen) shifts() {
	for _, s := range dq {
		get, sget := "c.r[o.dst]", "int64(c.r[o.dst])"
		mask := 63
		if s.bytes == 4 {
			get, sget, mask = "uint64(uint32(c.r[o.dst]))", "int64(int32(c.r[o.dst]))", 31
		}
		for _, a := range []struct{ x, kind, get, op string }{
			{"SHL", "fkShl", get, "a << n"},
			{"SHR", "fkShr", get, "a >> n"},
			{"SAR", "fkSar", get, "uint64(" + sget + " >> n)"},
		} {
			n := "code" + a.x + s.name
			// Immediate counts of zero are left to the handler, by codeOf.
			g.code(n+"I", fmt.Sprintf("n := uint64(o.imm) & %d\na := %s\n", mask, a.get)+setReg(s, "o.dst", a.op)+flags(a.kind, s, "a", "n"))
			g.choose(n+"I", a.x, "formRI", s, 0)
			g.code(n+"C", fmt.Sprintf("n := c.r[cpu.RCX] & %d\na := %s\n", mask, a.get)+setReg(s, "o.dst", a.op)+"if n != 0 {\n"+flags(a.kind, s, "a", "n")+"}\n")
			g.choose(n+"C", a.x, "formR", s, 0)
		}
		rot := map[int]string{4: "uint64(bits.RotateLeft32(uint32(c.r[o.dst]), %sint(o.imm)))", 8: "bits.RotateLeft64(c.r[o.dst], %sint(o.imm))"}[s.bytes]
		top := s.bytes*8 - 1
		n := "codeROL" + s.name + "I"
		g.code(n, "r := "+fmt.Sprintf(rot, "")+"\nc.r[o.dst] = r\n"+fmt.Sprintf("c.rotFlags(o.imm&%d != 1, r&1, r>>%d^r&1)\n", top, top))
		g.choose(n, "ROL", "formRI", s, 0)
		g.code(n+"quiet", "c.r[o.dst] = "+fmt.Sprintf(rot, "")+"\n")
		n = "codeROR" + s.name + "I"
		g.code(n, "r := "+fmt.Sprintf(rot, "-")+"\nc.r[o.dst] = r\n"+fmt.Sprintf("c.rotFlags(o.imm&%d != 1, r>>%d, r>>%d^r>>%d&1)\n", top, top, top, top-1))
		g.choose(n, "ROR", "formRI", s, 0)
		g.code(n+"quiet", "c.r[o.dst] = "+fmt.Sprintf(rot, "-")+"\n")
	}
}

func (g *gen) moves() {
	g.code("codeMOVRI", "c.r[o.dst] = o.disp\n")
	for _, s := range []size{sizeB, sizeW, sizeD, sizeQ} {
		n := "codeMOV" + s.name
		g.code(n+"RR", setReg(s, "o.dst", "c.r[o.src]"))
		g.choose(n+"RR", "MOV", "formRR", s, s.log)
		for v, ad := range addresses {
			g.code(n+"RM"+ad.name, load(s, ad.expr, "slow")+setReg(s, "o.dst", "m"))
			g.choose(n+"RM"+ad.name, "MOV", "formRM", s, s.log+4*v)
			g.code(n+"MR"+ad.name, ref(s, ad.expr)+fmt.Sprintf("*p = %s(c.r[o.src])\n", s.typ))
			g.choose(n+"MR"+ad.name, "MOV", "formMR", s, s.log+4*v)
			g.code(n+"MI"+ad.name, ref(s, ad.expr)+fmt.Sprintf("*p = %s(o.imm)\n", s.typ))
			g.choose(n+"MI"+ad.name, "MOV", "formMI", s, v)
		}
	}
	ext := func(x string, from size, to size, conv string) {
		n := "code" + x + from.name + to.name
		g.code(n+"RR", setReg(to, "o.dst", fmt.Sprintf(conv, "c.r[o.src]")))
		g.choose(n+"RR", x, "formRR", to, from.log)
		for v, ad := range addresses {
			g.code(n+"RM"+ad.name, load(from, ad.expr, "slow")+setReg(to, "o.dst", fmt.Sprintf(conv, "m")))
			g.choose(n+"RM"+ad.name, x, "formRM", to, from.log+4*v)
		}
	}
	for _, to := range dq {
		ext("MOVZX", sizeB, to, "uint64(uint8(%s))")
		ext("MOVZX", sizeW, to, "uint64(uint16(%s))")
		ext("MOVSX", sizeB, to, "uint64(int8(%s))")
		ext("MOVSX", sizeW, to, "uint64(int16(%s))")
	}
	ext("MOVSXD", sizeD, sizeQ, "uint64(int32(%s))")
	for _, s := range dq {
		for v, ad := range addresses {
			n := "codeLEA" + s.name + ad.name
			g.code(n, setReg(s, "o.dst", ad.expr))
			g.choose(n, "LEA", "formRM", s, v)
		}
		n := "codeCMOV" + s.name
		g.code(n, "v := c.r[o.dst]\nif c.cond(o.cc) { v = c.r[o.src] }\n"+setReg(s, "o.dst", "v"))
		g.choose(n, "CMOVCC", "formRR", s, s.log)
		for _, im := range []struct{ name, form, a, b string }{{"IMUL2", "RR", "c.r[o.dst]", "c.r[o.src]"}, {"IMUL3", "RR", "c.r[o.src]", "uint64(o.imm)"}} {
			n := "code" + im.name + s.name
			if s.bytes == 4 {
				g.code(n, fmt.Sprintf("v := int64(int32(%s)) * int64(int32(%s))\nc.r[o.dst] = uint64(uint32(v))\nc.fk, c.fa, c.fb = fkImul|sizeD, uint64(v), 0\n", im.a, im.b))
			} else {
				g.code(n, fmt.Sprintf("a, b := %s, %s\nc.r[o.dst] = a * b\nc.fk, c.fa, c.fb = fkImul|sizeQ, a, b\n", im.a, im.b))
			}
			g.choose(n, im.name, "form"+im.form, s, s.log)
		}
	}
	g.code("codeSETR", setReg(sizeB, "o.dst", "bit(c.cond(o.cc))"))
	g.choose("codeSETR", "SETCC", "formR", sizeB, 0)
	g.code("codeCDQE", "c.r[cpu.RAX] = uint64(int32(c.r[cpu.RAX]))\n")
	g.choose("codeCDQE", "CBW", "formNone", sizeQ, 0)
	g.code("codeCDQ", "c.r[cpu.RDX] = uint64(uint32(int32(c.r[cpu.RAX])>>31))\n")
	g.choose("codeCDQ", "CWD", "formNone", sizeD, 0)
	g.code("codeCQO", "c.r[cpu.RDX] = uint64(int64(c.r[cpu.RAX])>>63)\n")
	g.choose("codeCQO", "CWD", "formNone", sizeQ, 0)
	g.code("codeNOP", "")
}

// moves of XMM registers: whole, quadword and doubleword. sse enters a code for
// an SSE operation.
func (g *gen) sseMoves() {
	sse := func(name, ops, form string, v int) {
		for _, x := range strings.Fields(ops) {
			g.plain = append(g.plain, fmt.Sprintf("hotSSE[x86.%s-x86.FirstSSE][%s][%d] = %s", x, form, v, name))
		}
	}
	const aligned, unaligned = "MOVAPS MOVAPD MOVDQA", "MOVUPS MOVUPD MOVDQU LDDQU"
	const d, s = "c.xmm[o.dst&15]", "c.xmm[o.src&15]"
	sizeX := size{"X", 16, 0, "[2]uint64"}
	g.code("codeXMOV", d+" = "+s)
	sse("codeXMOV", aligned+" "+unaligned, "formRR", 0)
	for v, ad := range addresses {
		for _, k := range []struct{ name, ops, check string }{
			{"codeXMOVU", unaligned, ""},
			{"codeXMOVA", aligned, "if va&15 != 0 { goto slow }\n"},
		} {
			g.code(k.name+"RM"+ad.name, load(sizeX, ad.expr, "slow")+k.check+d+" = m\n")
			sse(k.name+"RM"+ad.name, k.ops, "formRM", v)
			g.code(k.name+"MR"+ad.name, ref(sizeX, ad.expr)+k.check+"*p = "+s+"\n")
			sse(k.name+"MR"+ad.name, k.ops, "formMR", v)
		}
		for _, k := range []struct {
			name, ops string
			s         size
		}{{"codeXMOVQ", "MOVSD MOVQ", sizeQ}, {"codeXMOVD", "MOVSS", sizeD}} {
			g.code(k.name+"RM"+ad.name, load(k.s, ad.expr, "slow")+d+" = [2]uint64{uint64(m), 0}\n")
			sse(k.name+"RM"+ad.name, k.ops, "formRM", v)
			g.code(k.name+"MR"+ad.name, ref(k.s, ad.expr)+fmt.Sprintf("*p = %s(%s[0])\n", k.s.typ, s))
			sse(k.name+"MR"+ad.name, k.ops, "formMR", v)
		}
	}
	g.code("codeXMOVQRR", d+" = [2]uint64{"+s+"[0], 0}\n")
	sse("codeXMOVQRR", "MOVQ", "formRR", 0)
	g.code("codeXMOVSDRR", d+"[0] = "+s+"[0]\n")
	sse("codeXMOVSDRR", "MOVSD", "formRR", 0)
	// MOVD has two directions of the same form: codeOf tells them apart.
	for _, z := range dq {
		g.code("codeXIN"+z.name, fmt.Sprintf("%s = [2]uint64{uint64(%s(c.r[o.src])), 0}\n", d, z.typ))
		g.code("codeXOUT"+z.name, fmt.Sprintf("c.r[o.dst] = uint64(%s(%s[0]))\n", z.typ, s))
	}
	for _, k := range []struct{ name, ops, op string }{{"codeXXOR", "PXOR XORPS XORPD", "^"}, {"codeXAND", "PAND ANDPS ANDPD", "&"}, {"codeXOR", "POR ORPS ORPD", "|"}} {
		g.code(k.name, fmt.Sprintf("x, y := &%s, &%s\nx[0], x[1] = x[0]%sy[0], x[1]%sy[1]\n", d, s, k.op, k.op))
		sse(k.name, k.ops, "formRR", 0)
	}
}

const popAddr = "c.r[cpu.RSP]"

func (g *gen) stack() {
	push := func(v string) string { return ref(sizeQ, "c.r[cpu.RSP] - 8") + "*p = " + v + "\nc.r[cpu.RSP] = va\n" }
	g.code("codePUSHR", push("c.r[o.dst]"))
	g.choose("codePUSHR", "PUSH", "formR", sizeQ, 0)
	g.code("codePUSHI", push("uint64(o.imm)"))
	g.choose("codePUSHI", "PUSH", "formI", sizeQ, 0)
	g.code("codePOPR", load(sizeQ, popAddr, "slow")+"c.r[cpu.RSP] = va + 8\nc.r[o.dst] = m\n")
	g.choose("codePOPR", "POP", "formR", sizeQ, 0)
	g.code("codeLEAVE", load(sizeQ, "c.r[cpu.RBP]", "slow")+"c.r[cpu.RSP] = va + 8\nc.r[cpu.RBP] = m\n")
	g.choose("codeLEAVE", "LEAVE", "formNone", sizeQ, 0)

	refTerm := func() string {
		return strings.Replace(ref(sizeQ, "c.r[cpu.RSP] - 8"), "goto slow", "goto slowTerm", 1)
	}
	g.code("codeCALL", refTerm()+"*p = b.fall\nc.r[cpu.RSP] = va\npc = b.target\ngoto jump\n")
	g.choose("codeCALL", "CALL", "formI", sizeQ, 0)
	g.code("codeRET", load(sizeQ, popAddr, "slowTerm")+"if m >= mm.UserTop { goto slowTerm }\nc.r[cpu.RSP] = va + 8\npc = m\ngoto jump\n")
	g.choose("codeRET", "RET", "formNone", sizeQ, 0)
	g.code("codeJMP", "goto taken\n")
	g.choose("codeJMP", "JMP", "formI", sizeQ, 0)
	g.code("codeEnd", "goto fallen\n")
	g.code("codeJMPR", "pc = c.r[o.dst]\nif pc >= mm.UserTop { goto slowTerm }\ngoto jump\n")
	g.choose("codeJMPR", "JMPIND", "formR", sizeQ, 0)
	g.code("codeCALLR", "pc = c.r[o.dst]\nif pc >= mm.UserTop { goto slowTerm }\n"+refTerm()+"*p = b.fall\nc.r[cpu.RSP] = va\ngoto jump\n")
	g.choose("codeCALLR", "CALLIND", "formR", sizeQ, 0)
	for v, ad := range addresses {
		g.code("codeJMPM"+ad.name, load(sizeQ, ad.expr, "slowTerm")+"pc = m\nif pc >= mm.UserTop { goto slowTerm }\ngoto jump\n")
		g.choose("codeJMPM"+ad.name, "JMPIND", "formM", sizeQ, v)
		g.code("codeCALLM"+ad.name, "{\n"+load(sizeQ, ad.expr, "slowTerm")+"pc = m\n}\nif pc >= mm.UserTop { goto slowTerm }\n"+refTerm()+"*p = b.fall\nc.r[cpu.RSP] = va\ngoto jump\n")
		g.choose("codeCALLM"+ad.name, "CALLIND", "formM", sizeQ, v)
	}
	g.code("codeJCC", "if c.cond(o.cc) { goto taken }\ngoto fallen\n")
	g.choose("codeJCC", "JCC", "formI", sizeQ, 0)
}

const head = `// Code generated by mkrun. DO NOT EDIT.

package interp

import (
	"math/bits"
	"unsafe"

	"github.com/tinevm/tine/internal/cpu"
	"github.com/tinevm/tine/internal/mm"
	"github.com/tinevm/tine/internal/x86"
)
`

const loop = `
// exec runs b and the blocks after it until one is not in the jump cache, the
// budget does not cover the next, something asks for attention, or a trap.
func (c *core) exec(b *block) {
	var pc uint64
	var o *op
	var j *jumpEntry
	var edge int
	ctx := c.ctx
	for {
		if c.left < int64(b.n) || c.v.Stopped() || codeEpoch.Load() != c.epoch {
			c.pc = b.pc
			return
		}
		c.bpc = b.pc
		o = b.first
		for {
		switch o.code {
		case codeHandler:
			goto slow
		case codeTerm:
			goto slowTerm
CASES
		}
			o = (*op)(unsafe.Add(unsafe.Pointer(o), opBytes))
			continue
		slow:
			if !handlers[o.x%x86.NumOps](c, o) {
				c.stopped(o)
				return
			}
			if c.leave {
				c.leave = false
				c.left -= int64(o.idx) + 1
				c.pc = c.rip(o) + uint64(o.len)
				return
			}
			o = (*op)(unsafe.Add(unsafe.Pointer(o), opBytes))
		}
	slowFused:
		if !handlers[o.x%x86.NumOps](c, o) {
			c.stopped(o)
			return
		}
		if !c.cond(o.cc) {
			goto fallen
		}
	taken:
		if to := b.links[1].Load(); to != nil && !to.dead.Load() {
			c.left -= int64(b.n)
			b = to
			continue
		}
		pc, edge = b.target, 1
		goto link
	fallen:
		if to := b.links[0].Load(); to != nil && !to.dead.Load() {
			c.left -= int64(b.n)
			b = to
			continue
		}
		pc, edge = b.fall, 0
	link:
		// Within a page the way from block to block is always the same.
		if (pc^b.pc)&^pageMask == 0 {
			j = &c.jump[(pc^pc>>jumpBits)%jumpSize]
			if j.tag == pc|c.jctx && !j.b.dead.Load() {
				b.links[edge].Store(j.b)
			}
		}
		goto jump
	slowTerm:
		c.pc = b.fall
		if !handlers[o.x%x86.NumOps](c, o) {
			c.stopped(o)
			return
		}
		pc = c.pc
		if pc >= mm.UserTop || c.fl&stepFlags != 0 {
			c.left -= int64(b.n)
			return
		}
	jump:
		c.left -= int64(b.n)
		j = &c.jump[(pc^pc>>jumpBits)%jumpSize]
		if j.tag != pc|c.jctx || j.b.dead.Load() {
			c.pc = pc
			return
		}
		b = j.b
	}
}
`

func main() {
	g := &gen{bodies: make(map[string]string)}
	g.moves()
	g.sseMoves()
	g.arithmetic()
	g.shifts()
	g.idioms()
	g.stack()
	g.branches()
	g.runs()
	g.superinstructions()
	var out bytes.Buffer
	out.WriteString(head)
	out.WriteString("\n// Codes of the run loop.\nconst (\n\tcodeHandler = iota // by the handler\n\tcodeTerm // by the handler, at the end of a block\n")
	for _, n := range g.names {
		fmt.Fprintf(&out, "\t%s\n", n)
	}
	out.WriteString(")\n\n// fillHot fills the tables that choose among them.\nfunc fillHot() {\n")
	for _, s := range slices.Concat(g.plain, g.fused, g.pairs) {
		fmt.Fprintf(&out, "\t%s\n", s)
	}
	out.WriteString("}\n")
	out.WriteString(strings.Replace(loop, "CASES", g.cases.String(), 1))
	src, err := format.Source(out.Bytes())
	if err != nil {
		log.Print(err)
		src = out.Bytes()
	}
	if err := os.WriteFile("zrun.go", src, 0o666); err != nil {
		log.Fatal(err)
	}
}
