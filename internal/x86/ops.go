package x86

// Integer and system operations. Conditions (Jcc, SETcc, CMOVcc) are in
// Inst.Opcode.
const (
	BAD Op = iota
	ADD
	OR
	ADC
	SBB
	AND
	SUB
	XOR
	CMP
	TEST
	INC
	DEC
	NEG
	NOT
	MUL
	IMUL1 // one operand: rDX:rAX
	IMUL2 // two operands
	IMUL3 // register, r/m, immediate
	DIV
	IDIV
	ROL
	ROR
	RCL
	RCR
	SHL
	SHR
	SAR
	SHLD
	SHRD
	MOV
	MOVZX
	MOVSX
	MOVSXD
	MOVSEG // from a segment register
	LDSEG  // to a segment register
	LEA
	XCHG
	XADD
	CMPXCHG
	CMPXCHG8B
	CMPXCHG16B
	PUSH
	POP
	PUSHF
	POPF
	PUSHSEG
	POPSEG
	ENTER
	LEAVE
	JMP    // relative
	JMPIND // to the address in r/m
	CALL
	CALLIND
	RET
	RETN // RET imm16
	JCC
	LOOP
	LOOPE
	LOOPNE
	JRCXZ
	SETCC
	CMOVCC
	CBW // CBW, CWDE, CDQE by size
	CWD // CWD, CDQ, CQO by size
	BSWAP
	BT
	BTS
	BTR
	BTC
	BSF
	BSR
	POPCNT
	CRC32
	MOVS
	CMPS
	STOS
	LODS
	SCAS
	XLAT
	LAHF
	SAHF
	CLC
	STC
	CMC
	CLD
	STD
	NOP
	PAUSE
	FENCE // LFENCE, MFENCE, SFENCE
	PREFETCH
	CLFLUSH
	CPUID
	RDTSC
	SYSCALL
	INT
	INT3
	INT1
	UD
	PRIV // privileged: #GP in user mode
	IOPRIV
	LAR
	LSL
	VERR
	VERW
	SLDT
	STR
	SGDT
	SIDT
	SMSW
	RETF
	IRET
	LFS // LSS, LFS, LGS by opcode
	RDTSCP
	RDPID
	RDFSBASE
	RDGSBASE
	WRFSBASE
	WRGSBASE
	lastInteger
)
