package main

import (
	"fmt"
	"strings"
)

// cond is one condition, on a comparison of a and b and on a result r.
type cond struct {
	cc       int
	name     string
	cmp, log string
	signed   bool
}

var conds = []cond{
	{2, "B", "a < b", "", false}, {3, "AE", "a >= b", "", false},
	{4, "E", "a == b", "r == 0", false}, {5, "NE", "a != b", "r != 0", false},
	{6, "BE", "a <= b", "", false}, {7, "A", "a > b", "", false},
	{8, "S", "a - b < 0", "r < 0", true}, {9, "NS", "a - b >= 0", "r >= 0", true},
	{12, "L", "a < b", "r < 0", true}, {13, "GE", "a >= b", "r >= 0", true},
	{14, "LE", "a <= b", "r <= 0", true}, {15, "G", "a > b", "r > 0", true},
}

func signedType(s size, signed bool) string {
	if signed {
		return strings.TrimPrefix(s.typ, "u")
	}
	return s.typ
}

// fuse makes one fused case. setup defines x and y as 64-bit operands.
func (g *gen) fuse(name, x, form string, s size, variant int, setup string, k cond) {
	t := signedType(s, k.signed)
	g.code(name, setup+"c.fk, c.fa, c.fb = fkSub|size"+s.name+", x, y\n"+
		fmt.Sprintf("if a, b := %s(x), %s(y); %s { goto taken }\ngoto fallen\n", t, t, k.cmp))
	g.fused = append(g.fused, fmt.Sprintf("hotFused[fused%s][%s][%d][%d][%d] = %s", x, form, s.log, variant, k.cc, name))
}

func (g *gen) fuseLogic(name, x, form string, s size, variant int, setup string, k cond, wr bool) {
	t := signedType(s, true)
	w := ""
	if wr {
		w = setReg(s, "o.dst", "v")
	}
	g.code(name, setup+"c.fk, c.fa = fkLogic|size"+s.name+", v\n"+w+
		fmt.Sprintf("if r := %s(v); %s { goto taken }\ngoto fallen\n", t, k.log))
	g.fused = append(g.fused, fmt.Sprintf("hotFused[fused%s][%s][%d][%d][%d] = %s", x, form, s.log, variant, k.cc, name))
}

func (g *gen) branches() {
	for _, k := range conds[2:6] {
		n := "codeJ" + k.name + "CMPW"
		g.fuse(n+"RI", "CMP", "formRI", sizeW, 0, "x, y := c.r[o.dst], uint64(o.imm)\n", k)
		for v, ad := range addresses {
			g.fuse(n+"MI"+ad.name, "CMP", "formMI", sizeW, v, load(sizeW, ad.expr, "slowFused")+"x, y := uint64(m), uint64(o.imm)\n", k)
		}
	}
	for _, k := range conds {
		for _, s := range []size{sizeB, sizeD, sizeQ} {
			n := "codeJ" + k.name + "CMP" + s.name
			g.fuse(n+"RR", "CMP", "formRR", s, 0, "x, y := c.r[o.dst], c.r[o.src]\n", k)
			g.fuse(n+"RI", "CMP", "formRI", s, 0, "x, y := c.r[o.dst], uint64(o.imm)\n", k)
			for v, ad := range addresses {
				g.fuse(n+"MI"+ad.name, "CMP", "formMI", s, v, load(s, ad.expr, "slowFused")+"x, y := uint64(m), uint64(o.imm)\n", k)
				if s.bytes > 1 {
					g.fuse(n+"RM"+ad.name, "CMP", "formRM", s, v, load(s, ad.expr, "slowFused")+"x, y := c.r[o.dst], uint64(m)\n", k)
					g.fuse(n+"MR"+ad.name, "CMP", "formMR", s, v, load(s, ad.expr, "slowFused")+"x, y := uint64(m), c.r[o.src]\n", k)
				}
			}
			if k.log == "" {
				continue
			}
			n = "codeJ" + k.name + "TEST" + s.name
			g.fuseLogic(n+"RR", "TEST", "formRR", s, 0, "v := c.r[o.dst] & c.r[o.src]\n", k, false)
			g.fuseLogic(n+"RI", "TEST", "formRI", s, 0, "v := c.r[o.dst] & uint64(o.imm)\n", k, false)
			if k.cc <= 5 {
				for v, ad := range addresses {
					g.fuseLogic(n+"MI"+ad.name, "TEST", "formMI", s, v, load(s, ad.expr, "slowFused")+"v := uint64(m) & uint64(o.imm)\n", k, false)
				}
			}
			if s.bytes > 1 && k.cc <= 9 {
				n = "codeJ" + k.name + "AND" + s.name
				g.fuseLogic(n+"RI", "AND", "formRI", s, 0, "v := c.r[o.dst] & uint64(o.imm)\n", k, true)
				n = "codeJ" + k.name + "SUB" + s.name
				for _, f := range []struct{ form, src string }{{"RR", "c.r[o.src]"}, {"RI", "uint64(o.imm)"}} {
					g.fuse(n+f.form, "SUB", "form"+f.form, s, 0, "x, y := c.r[o.dst], "+f.src+"\n"+setReg(s, "o.dst", "x - y"), k)
				}
			}
		}
	}
	for _, s := range dq {
		for _, k := range conds[2:4] {
			t := s.typ
			n := "codeJ" + k.name + "DEC" + s.name
			g.code(n, "x := c.r[o.dst] - 1\n"+flags("fkDec", s, "x + 1", "c.carry()")+setReg(s, "o.dst", "x")+
				fmt.Sprintf("if r := %s(x); %s { goto taken }\ngoto fallen\n", t, k.log))
			g.fused = append(g.fused, fmt.Sprintf("hotFused[fusedDEC][formR][%d][0][%d] = %s", s.log, k.cc, n))
			n = "codeJ" + k.name + "ADD" + s.name
			for _, f := range []struct{ form, src string }{{"RR", "c.r[o.src]"}, {"RI", "uint64(o.imm)"}} {
				g.code(n+f.form, "x, y := c.r[o.dst], "+f.src+"\nv := x + y\n"+flags("fkAdd", s, "x", "y")+setReg(s, "o.dst", "v")+
					fmt.Sprintf("if r := %s(v); %s { goto taken }\ngoto fallen\n", t, k.log))
				g.fused = append(g.fused, fmt.Sprintf("hotFused[fusedADD][form%s][%d][0][%d] = %s", f.form, s.log, k.cc, n+f.form))
			}
		}
	}
}
