//go:build linux

package net

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/tinevm/tine/internal/linux"
)

// letters are the sockets of a random script.
var letters = []string{"a", "b", "c", "d", "l"}

// randomStep makes one random call on a socket of kind family and typ.
func randomStep(s *script, r *rand.Rand, family, typ int) {
	pick := func() string { return letters[r.IntN(len(letters))] }
	k := pick()
	switch r.IntN(15) {
	case 0:
		if family == linux.AF_UNIX && r.IntN(3) > 0 {
			other := pick()
			if other != k {
				s.close(k, other)
				s.pair(k, other, typ)
			}
			return
		}
		s.close(k)
		s.socket(k, family, typ, 0)
	case 1:
		s.close(k)
	case 2:
		if family == linux.AF_UNIX {
			s.bind(k, s.abstract(k))
		} else {
			s.bind(k, inet("127.0.0.1", 0))
		}
	case 3:
		if family != linux.AF_UNIX {
			s.listen(k, 8)
		} else {
			s.listen(k, r.IntN(2))
		}
	case 4, 5:
		if family == linux.AF_UNIX {
			s.connect(k, s.abstract(pick()))
		} else {
			s.connectTo(k, pick())
		}
	case 6:
		from := pick()
		if from != k {
			s.close(k)
			s.accept(k, from)
		}
	case 7, 8:
		s.sendMsg(k, Msg{Data: make([]byte, 1+r.IntN(9))})
	case 9:
		if to := pick(); typ == linux.SOCK_DGRAM {
			s.sendTo(k, fmt.Sprint("to ", to), to)
		}
	case 10, 11:
		s.recvFlags(k, 1+r.IntN(9), []uint32{0, 0, linux.MSG_PEEK}[r.IntN(3)])
	case 12:
		s.shutdown(k, r.IntN(3))
	case 13:
		s.soerror(k)
	case 14:
		if r.IntN(4) == 0 {
			s.connect(k, unspec(16))
		}
	}
	s.names(k)
	s.poll(letters...)
}

// TestRandomLikeLinux makes the same random calls here and on the host.
func TestRandomLikeLinux(t *testing.T) {
	for _, kind := range []struct {
		name        string
		family, typ int
	}{
		{"unix stream", linux.AF_UNIX, linux.SOCK_STREAM},
		{"unix dgram", linux.AF_UNIX, linux.SOCK_DGRAM},
		{"unix seqpacket", linux.AF_UNIX, linux.SOCK_SEQPACKET},
		{"tcp", linux.AF_INET, linux.SOCK_STREAM},
		{"udp", linux.AF_INET, linux.SOCK_DGRAM},
	} {
		for seed := range uint64(randomScripts) {
			t.Run(fmt.Sprintf("%s/%d", kind.name, seed), func(t *testing.T) {
				compare(t, func(s *script) {
					r := rand.New(rand.NewPCG(seed, uint64(kind.typ)))
					for range 80 {
						randomStep(s, r, kind.family, kind.typ)
					}
				})
			})
		}
	}
}

// randomScripts is how many scripts of each kind are tried.
const randomScripts = 100
