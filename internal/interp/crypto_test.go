package interp

import (
	"bytes"
	"crypto/aes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"math"
	"math/rand"
	"testing"

	"github.com/tinevm/tine/internal/x86"
)

func xmmOf(b []byte) xmm {
	return xmm{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

func (x xmm) encode() []byte {
	b := x.bytes()
	return b[:]
}

// TestAES encrypts and decrypts as the manual shows, with keys of 128 bits.
func TestAES(t *testing.T) {
	know(x86.AESENC)
	rng := rand.New(rand.NewSource(1))
	for range 100 {
		key, plain := make([]byte, 16), make([]byte, 16)
		rng.Read(key)
		rng.Read(plain)
		k := []xmm{xmmOf(key)}
		for i := range 10 {
			rcon := byte(1)
			for range i {
				rcon = xtime(rcon)
			}
			w, a := columnsOf(k[i]), columnsOf(aeskeygen(xmm{}, k[i], rcon))[3]
			for j := range w {
				a ^= w[j]
				w[j] = a
			}
			k = append(k, w.xmm())
		}
		x := xmmOf(plain).xor(k[0])
		for i := 1; i < 10; i++ {
			x = aesenc(x, k[i])
		}
		x = aesenclast(x, k[10])
		want := make([]byte, 16)
		block, err := aes.NewCipher(key)
		if err != nil {
			t.Fatal(err)
		}
		block.Encrypt(want, plain)
		if !bytes.Equal(x.encode(), want) {
			t.Fatalf("%x with %x: %x, want %x", plain, key, x.encode(), want)
		}
		x = x.xor(k[10])
		for i := 9; i > 0; i-- {
			x = aesdec(x, aesimc(k[i]))
		}
		if x = aesdeclast(x, k[0]); !bytes.Equal(x.encode(), plain) {
			t.Fatalf("%x with %x: decrypts to %x", plain, key, x.encode())
		}
	}
}

// message is one padded block, as words whose first is the highest of four.
func message(text string, low bool) (w []xmm) {
	var b [64]byte
	b[copy(b[:], text)] = 0x80
	binary.BigEndian.PutUint64(b[56:], uint64(len(text))*8)
	for i := 0; i < 64; i += 16 {
		var c columns
		for j := range c {
			k := 3 - j
			if low {
				k = j
			}
			c[k] = binary.BigEndian.Uint32(b[i+4*j:])
		}
		w = append(w, c.xmm())
	}
	return w
}

func (x xmm) plus(y xmm) xmm {
	a, b := columnsOf(x), columnsOf(y)
	for i := range a {
		a[i] += b[i]
	}
	return a.xmm()
}

func TestSHA1(t *testing.T) {
	w := message("a message of less than 56 bytes", false)
	for i := 4; i < 20; i++ {
		w = append(w, sha1msg2(sha1msg1(w[i-4], w[i-3]).xor(w[i-2]), w[i-1]))
	}
	abcd := columns{0x10325476, 0x98badcfe, 0xefcdab89, 0x67452301}.xmm()
	e := columns{3: 0xc3d2e1f0}.xmm()
	start, next := abcd, e.plus(w[0])
	for i := range 20 {
		last := abcd
		abcd = sha1rnds4(abcd, next, uint8(i/5))
		if i < 19 {
			next = sha1nexte(last, w[i+1])
		} else {
			e = sha1nexte(last, e)
		}
	}
	d := columnsOf(abcd.plus(start))
	var got []byte
	for _, v := range []uint32{d[3], d[2], d[1], d[0], columnsOf(e)[3]} {
		got = binary.BigEndian.AppendUint32(got, v)
	}
	if want := sha1.Sum([]byte("a message of less than 56 bytes")); !bytes.Equal(got, want[:]) {
		t.Errorf("%x, want %x", got, want)
	}
}

// frac32 has the first bits of the fractional part of v.
func frac32(v float64) uint32 { return uint32((v - math.Floor(v)) * (1 << 32)) }

func TestSHA256(t *testing.T) {
	var k []uint32
	var h [8]uint32
	for n := 2; len(k) < 64; n++ {
		prime := true
		for d := 2; d*d <= n; d++ {
			prime = prime && n%d != 0
		}
		if prime {
			if len(k) < 8 {
				h[len(k)] = frac32(math.Sqrt(float64(n)))
			}
			k = append(k, frac32(math.Cbrt(float64(n))))
		}
	}
	w := message("a message of less than 56 bytes", true)
	for i := 4; i < 16; i++ {
		// The words seven before: they lie across two registers.
		a, b := columnsOf(w[i-2]), columnsOf(w[i-1])
		seven := columns{a[1], a[2], a[3], b[0]}.xmm()
		w = append(w, sha256msg2(sha256msg1(w[i-4], w[i-3]).plus(seven), w[i-1]))
	}
	abef, cdgh := columns{h[5], h[4], h[1], h[0]}.xmm(), columns{h[7], h[6], h[3], h[2]}.xmm()
	a0, c0 := abef, cdgh
	for i := range 16 {
		wk := w[i].plus(columns(k[4*i : 4*i+4]).xmm())
		cdgh = sha256rounds(cdgh, abef, wk.lo)
		abef = sha256rounds(abef, cdgh, wk.hi)
	}
	x, y := columnsOf(abef.plus(a0)), columnsOf(cdgh.plus(c0))
	var got []byte
	for _, v := range []uint32{x[3], x[2], y[3], y[2], x[1], x[0], y[1], y[0]} {
		got = binary.BigEndian.AppendUint32(got, v)
	}
	if want := sha256.Sum256([]byte("a message of less than 56 bytes")); !bytes.Equal(got, want[:]) {
		t.Errorf("%x, want %x", got, want)
	}
}
