package x86

// tableExt has MOVBE, LZCNT, ADX, BMI1, BMI2, PCLMULQDQ, AES and SHA (Intel SDM
// vol. 2, tables ). LZCNT and TZCNT are in tableInteger, before BSR
// and BSF, which ignore F3 where they are not.
var tableExt = []Row{
	{"NP 0F 38 F0 /r", MOVBE, "Gv,Mv", ""},
	{"66 0F 38 F0 /r", MOVBE, "Gv,Mv", ""},
	{"NP 0F 38 F1 /r", MOVBE, "Mv,Gv", ""},
	{"66 0F 38 F1 /r", MOVBE, "Mv,Gv", ""},
	{"66 0F 38 F6 /r", ADCX, "Gy,Ey", ""},
	{"F3 0F 38 F6 /r", ADOX, "Gy,Ey", ""},

	{"VEX NP 0F 38 F2 /r", ANDN, "Gy,By,Ey", ""},
	{"VEX NP 0F 38 F3 /1", BLSR, "By,Ey", ""},
	{"VEX NP 0F 38 F3 /2", BLSMSK, "By,Ey", ""},
	{"VEX NP 0F 38 F3 /3", BLSI, "By,Ey", ""},
	{"VEX NP 0F 38 F7 /r", BEXTR, "Gy,Ey,By", ""},
	{"VEX NP 0F 38 F5 /r", BZHI, "Gy,Ey,By", ""},
	{"VEX F2 0F 38 F5 /r", PDEP, "Gy,By,Ey", ""},
	{"VEX F3 0F 38 F5 /r", PEXT, "Gy,By,Ey", ""},
	{"VEX F2 0F 38 F6 /r", MULX, "Gy,By,Ey", ""},
	{"VEX 66 0F 38 F7 /r", SHLX, "Gy,Ey,By", ""},
	{"VEX F3 0F 38 F7 /r", SARX, "Gy,Ey,By", ""},
	{"VEX F2 0F 38 F7 /r", SHRX, "Gy,Ey,By", ""},
	{"VEX F2 0F 3A F0 /r", RORX, "Gy,Ey,Ib", ""},

	{"66 0F 3A 44 /r", PCLMULQDQ, "Vdq,Wdq,Ib", ""},
	{"66 0F 38 DB /r", AESIMC, "Vdq,Wdq", ""},
	{"66 0F 38 DC /r", AESENC, "Vdq,Wdq", ""},
	{"66 0F 38 DD /r", AESENCLAST, "Vdq,Wdq", ""},
	{"66 0F 38 DE /r", AESDEC, "Vdq,Wdq", ""},
	{"66 0F 38 DF /r", AESDECLAST, "Vdq,Wdq", ""},
	{"66 0F 3A DF /r", AESKEYGENASSIST, "Vdq,Wdq,Ib", ""},
	{"NP 0F 38 C8 /r", SHA1NEXTE, "Vdq,Wdq", ""},
	{"NP 0F 38 C9 /r", SHA1MSG1, "Vdq,Wdq", ""},
	{"NP 0F 38 CA /r", SHA1MSG2, "Vdq,Wdq", ""},
	{"NP 0F 38 CB /r", SHA256RNDS2, "Vdq,Wdq", ""},
	{"NP 0F 38 CC /r", SHA256MSG1, "Vdq,Wdq", ""},
	{"NP 0F 38 CD /r", SHA256MSG2, "Vdq,Wdq", ""},
	{"NP 0F 3A CC /r", SHA1RNDS4, "Vdq,Wdq,Ib", ""},
}
