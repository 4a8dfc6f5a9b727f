package main

import (
	"fmt"
	"log"
	"strings"
)

// runs are several PUSH or POP of registers in a row, whose number is in imm of
// the first. Each later one is the first of the shorter run after it, so that
// the run can be left after the first.
func (g *gen) runs() {
	const next = "o = (*op)(unsafe.Add(unsafe.Pointer(o), opBytes))\n"
	all := func(array, first string) string {
		return fmt.Sprintf(`va, n := %s, uint64(uint32(o.imm))
			e := &c.%s[va>>mm.PageShift&tlbMask]
			if e.tag != (va+8*n-1)&^pageMask|ctx || e.tag != va&^pageMask|ctx { goto slow }
			p := unsafe.Add(unsafe.Pointer(nil), uintptr(va+e.delta))
`, first, array)
	}
	g.code("codePUSHRUN", all("wt", "c.r[cpu.RSP] - 8*uint64(uint32(o.imm))")+`
			for i := n; ; {
				i--
				*(*uint64)(unsafe.Add(p, 8*i)) = c.r[o.dst]
				if i == 0 { break }
				`+next+`}
			c.r[cpu.RSP] = va
`)
	g.code("codePOPRUN", all("rt", "c.r[cpu.RSP]")+`
			for i := uint64(0); ; {
				c.r[o.dst] = *(*uint64)(unsafe.Add(p, 8*i))
				if i++; i == n { break }
				`+next+`}
			c.r[cpu.RSP] = va + 8*n
`)
}

// frequent are the pairs that bash, python3 and cc1 execute most, each more
// than some 0.3 % of all, by the names of their codes.
const frequent = `
MOVQRR MOVQRR, MOVQRM MOVQMR, MOVQRM MOVQRM, MOVQMR MOVQMR, MOVQMR MOVQRM, MOVQRR MOVDRR,
MOVQRM MOVQRR, MOVQRR MOVQRM, MOVQRR MOVQMR, MOVQMR MOVQRR, MOVDRR MOVQRR, XORDRR MOVQRR, MOVQMR XORDRR,
MOVRI MOVRI, MOVQRM LEAQ, LEAQ MOVQMR, MOVQMR LEAQ, LEAQ MOVQRR, MOVDRM MOVDRM, MOVQRR LEAQ,
ADDQRI POPR, ADDQRI POPRUN, POPR RET, PUSHR MOVQRR, PUSHR SUBQRI, PUSHR MOVDRR, MOVQRR PUSHR, MOVQRR PUSHRUN, MOVQRR POPR, MOVDRR PUSHR,
MOVQRR CALL, XORDRR CALL, MOVDRR CALL, MOVRI CALL, LEAQ CALL,
MOVQRR ANDQRI, MOVQRR SUBQRI, MOVQRR SHRQI, ADDQRI MOVQRR, ADDQRI ADDQRI, ADDDRR ADDDRR, MOVQRR ADDQRR, MOVQRM ADDQRI, MOVQRM SUBQRM, MOVQRM ADDQRR, SUBQRI MOVQRM, SHRQI ANDDRI, MOVQMR ADDQRI,
MOVQRM JETESTQRR, MOVQRM JNETESTQRR, MOVQRMX JETESTQRR, MOVDRM JETESTDRR, MOVDRM JNETESTDRR, MOVZXBDRM JETESTBRR, MOVZXBDRM JNETESTBRR,
MOVZXBDRM JETESTDRR, MOVZXBDRM JNETESTDRR, MOVQRR JETESTQRR, MOVQMR JETESTQRR, MOVQRM JNECMPQRI, MOVQRM JECMPQRI, MOVQRM JECMPQRR, MOVQRM JNECMPQRR, MOVDRM JNECMPDRI,
MOVDRR JNECMPDRI, MOVZXBDRM JNECMPBRI, MOVZXBDRM JECMPBRI, ADDQRI JNECMPQRR, ADDQRI JAECMPQRR, LEAQ JACMPQRI, ANDQRI JACMPQRI,
MOVZXBDRR MOVQRMX, MOVQRMX JMPR, MOVZXWDRM MOVZXWDRM, MOVZXWDRM MOVQRR, ORDRR MOVZXBDRR, MOVQRR ORDRR, XXOR XXOR, LEADX MOVZXBDRM, ADDQRI LEADX`

// superinstructions do two ops with one dispatch. The second keeps its own
// code, for when the first has to be done by its handler.
func (g *gen) superinstructions() {
	for _, p := range strings.Split(frequent, ",") {
		f := strings.Fields(p)
		a, b := g.bodies["code"+f[0]], g.bodies["code"+f[1]]
		if a == "" || b == "" {
			log.Fatalf("no code for a pair %v", f)
		}
		name := "code" + f[0] + "then" + f[1]
		g.code(name, "{\n"+a+"}\no = (*op)(unsafe.Add(unsafe.Pointer(o), opBytes))\n"+b)
		g.pairs = append(g.pairs, fmt.Sprintf("hotPairs[code%s] = append(hotPairs[code%s], pair{code%s, %s})", f[0], f[0], f[1], name))
	}
}
