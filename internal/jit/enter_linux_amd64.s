#include "textflag.h"
#include "go_asm.h"

// func enter(c *context)
//
// Machine code runs on the goroutine's stack, of which it uses at most four
// words. The lowest of enter's own has how many instructions it may still execute.
// Registers while it runs:
//
//	RAX RCX RDX RBX RBP RSI RDI R8	the guest's, as they are
//	R9  R10 R11			guest R12, R13, R14
//	R15				guest RSP
//	R14				B: the context, plus bias
//	R12 R13				temporaries
//	RSP				the host's stack
//	XMM0-XMM15, MXCSR		the guest's
//	upper halves of YMM0-YMM15	the guest's, which are zero unless it uses
//					them
//
// The other guest registers (R9, R10, R11, R15) are in the context. R14 is g in
// Go code; signal handlers take g from thread-local storage, and the wrapper
// that Go puts around assembly functions loads it again afterwards.
//
// Flags are entered with the guest's. On exit the host's are stored beside them:
// where the guest's are, the site of the exit tells.
TEXT ·enter(SB), 0, $32-8
	MOVQ	c+0(FP), R14
	ADDQ	$const_bias, R14
	MOVL	const_offLeft(R14), AX
	MOVL	AX, left-32(SP)
	LDMXCSR	const_offMXCSR(R14)
	MOVUPS	(const_offXMM+0x00)(R14), X0
	MOVUPS	(const_offXMM+0x10)(R14), X1
	MOVUPS	(const_offXMM+0x20)(R14), X2
	MOVUPS	(const_offXMM+0x30)(R14), X3
	MOVUPS	(const_offXMM+0x40)(R14), X4
	MOVUPS	(const_offXMM+0x50)(R14), X5
	MOVUPS	(const_offXMM+0x60)(R14), X6
	MOVUPS	(const_offXMM+0x70)(R14), X7
	MOVUPS	(const_offXMM+0x80)(R14), X8
	MOVUPS	(const_offXMM+0x90)(R14), X9
	MOVUPS	(const_offXMM+0xa0)(R14), X10
	MOVUPS	(const_offXMM+0xb0)(R14), X11
	MOVUPS	(const_offXMM+0xc0)(R14), X12
	MOVUPS	(const_offXMM+0xd0)(R14), X13
	MOVUPS	(const_offXMM+0xe0)(R14), X14
	MOVUPS	(const_offXMM+0xf0)(R14), X15
	CMPB	·hostAVX(SB), $0
	JEQ	run
	CMPB	const_offUpperUsed(R14), $0
	JNE	upper
	VZEROUPPER
	JMP	run
upper:
	VINSERTF128	$1, (const_offUpper+0x00)(R14), Y0, Y0
	VINSERTF128	$1, (const_offUpper+0x10)(R14), Y1, Y1
	VINSERTF128	$1, (const_offUpper+0x20)(R14), Y2, Y2
	VINSERTF128	$1, (const_offUpper+0x30)(R14), Y3, Y3
	VINSERTF128	$1, (const_offUpper+0x40)(R14), Y4, Y4
	VINSERTF128	$1, (const_offUpper+0x50)(R14), Y5, Y5
	VINSERTF128	$1, (const_offUpper+0x60)(R14), Y6, Y6
	VINSERTF128	$1, (const_offUpper+0x70)(R14), Y7, Y7
	VINSERTF128	$1, (const_offUpper+0x80)(R14), Y8, Y8
	VINSERTF128	$1, (const_offUpper+0x90)(R14), Y9, Y9
	VINSERTF128	$1, (const_offUpper+0xa0)(R14), Y10, Y10
	VINSERTF128	$1, (const_offUpper+0xb0)(R14), Y11, Y11
	VINSERTF128	$1, (const_offUpper+0xc0)(R14), Y12, Y12
	VINSERTF128	$1, (const_offUpper+0xd0)(R14), Y13, Y13
	VINSERTF128	$1, (const_offUpper+0xe0)(R14), Y14, Y14
	VINSERTF128	$1, (const_offUpper+0xf0)(R14), Y15, Y15
run:
	MOVQ	const_offFlags(R14), AX
	ADDB	$0x7f, AL // sets OF if AL is 1
	SAHF
	MOVQ	(const_offGPR+8*0)(R14), AX
	MOVQ	(const_offGPR+8*1)(R14), CX
	MOVQ	(const_offGPR+8*2)(R14), DX
	MOVQ	(const_offGPR+8*3)(R14), BX
	MOVQ	(const_offGPR+8*4)(R14), R15
	MOVQ	(const_offGPR+8*5)(R14), BP
	MOVQ	(const_offGPR+8*6)(R14), SI
	MOVQ	(const_offGPR+8*7)(R14), DI
	MOVQ	(const_offGPR+8*8)(R14), R8
	MOVQ	(const_offGPR+8*12)(R14), R9
	MOVQ	(const_offGPR+8*13)(R14), R10
	MOVQ	(const_offGPR+8*14)(R14), R11
	MOVQ	const_offT1(R14), R13
	MOVQ	const_offEntry(R14), R12
	CALL	R12
	MOVQ	R12, const_offT0(R14)
	MOVL	left-32(SP), R12
	MOVL	R12, const_offLeft(R14)
	MOVQ	R13, const_offT1(R14)
	MOVQ	AX, (const_offGPR+8*0)(R14)
	LAHF
	SETOS	AL
	MOVW	AX, const_offHostFlags(R14)
	MOVQ	CX, (const_offGPR+8*1)(R14)
	MOVQ	DX, (const_offGPR+8*2)(R14)
	MOVQ	BX, (const_offGPR+8*3)(R14)
	MOVQ	R15, (const_offGPR+8*4)(R14)
	MOVQ	BP, (const_offGPR+8*5)(R14)
	MOVQ	SI, (const_offGPR+8*6)(R14)
	MOVQ	DI, (const_offGPR+8*7)(R14)
	MOVQ	R8, (const_offGPR+8*8)(R14)
	MOVQ	R9, (const_offGPR+8*12)(R14)
	MOVQ	R10, (const_offGPR+8*13)(R14)
	MOVQ	R11, (const_offGPR+8*14)(R14)
	MOVUPS	X0, (const_offXMM+0x00)(R14)
	MOVUPS	X1, (const_offXMM+0x10)(R14)
	MOVUPS	X2, (const_offXMM+0x20)(R14)
	MOVUPS	X3, (const_offXMM+0x30)(R14)
	MOVUPS	X4, (const_offXMM+0x40)(R14)
	MOVUPS	X5, (const_offXMM+0x50)(R14)
	MOVUPS	X6, (const_offXMM+0x60)(R14)
	MOVUPS	X7, (const_offXMM+0x70)(R14)
	MOVUPS	X8, (const_offXMM+0x80)(R14)
	MOVUPS	X9, (const_offXMM+0x90)(R14)
	MOVUPS	X10, (const_offXMM+0xa0)(R14)
	MOVUPS	X11, (const_offXMM+0xb0)(R14)
	MOVUPS	X12, (const_offXMM+0xc0)(R14)
	MOVUPS	X13, (const_offXMM+0xd0)(R14)
	MOVUPS	X14, (const_offXMM+0xe0)(R14)
	MOVUPS	X15, (const_offXMM+0xf0)(R14)
	CMPB	const_offUpperUsed(R14), $0
	JEQ	left
	CMPB	·hostAVX(SB), $0
	JEQ	left
	VEXTRACTF128	$1, Y0, (const_offUpper+0x00)(R14)
	VEXTRACTF128	$1, Y1, (const_offUpper+0x10)(R14)
	VEXTRACTF128	$1, Y2, (const_offUpper+0x20)(R14)
	VEXTRACTF128	$1, Y3, (const_offUpper+0x30)(R14)
	VEXTRACTF128	$1, Y4, (const_offUpper+0x40)(R14)
	VEXTRACTF128	$1, Y5, (const_offUpper+0x50)(R14)
	VEXTRACTF128	$1, Y6, (const_offUpper+0x60)(R14)
	VEXTRACTF128	$1, Y7, (const_offUpper+0x70)(R14)
	VEXTRACTF128	$1, Y8, (const_offUpper+0x80)(R14)
	VEXTRACTF128	$1, Y9, (const_offUpper+0x90)(R14)
	VEXTRACTF128	$1, Y10, (const_offUpper+0xa0)(R14)
	VEXTRACTF128	$1, Y11, (const_offUpper+0xb0)(R14)
	VEXTRACTF128	$1, Y12, (const_offUpper+0xc0)(R14)
	VEXTRACTF128	$1, Y13, (const_offUpper+0xd0)(R14)
	VEXTRACTF128	$1, Y14, (const_offUpper+0xe0)(R14)
	VEXTRACTF128	$1, Y15, (const_offUpper+0xf0)(R14)
	VZEROUPPER
left:
	// Go only needs the control bits to be what they are at first, and does not
	// look at the flags of exceptions.
	STMXCSR	const_offMXCSR(R14)
	MOVL	const_offMXCSR(R14), AX
	ANDL	$0xffc0, AX
	CMPL	AX, $0x1f80
	JEQ	done
	LDMXCSR	const_offHostMX(R14)
done:
	RET
