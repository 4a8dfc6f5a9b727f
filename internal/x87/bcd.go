package x87

// BCD is the packed decimal memory operand: nine bytes of two digits, the
// least significant first, and a byte with the sign in its top bit.
type BCD [10]byte

const maxBCD = 999_999_999_999_999_999

// FromBCD converts exactly. Digits above nine count as they are, as on the
// processor; the manual leaves them undefined.
func FromBCD(b BCD) F80 {
	var n int64
	for i := 8; i >= 0; i-- {
		n = n*100 + int64(b[i]>>4)*10 + int64(b[i]&15)
	}
	f := fromInt(n)
	f.SE |= uint16(b[9]&0x80) << 8
	return f
}

// ToBCD rounds to an integer as RC says. What has more than 18 digits is
// invalid.
func ToBCD(a F80, cw uint16) (b BCD, ex uint16, store bool) {
	n, ex, _ := ToInt(a, 64, cw)
	if n > maxBCD || n < -maxBCD {
		return BCD{7: 0xc0, 8: 0xff, 9: 0xff}, IE, cw&IE != 0
	}
	if a.SE&signBit != 0 {
		b[9] = 0x80
		n = -n
	}
	for i := range b[:9] {
		b[i] = byte(n%10) | byte(n/10%10)<<4
		n /= 100
	}
	return b, ex, true
}
