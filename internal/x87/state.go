package x87

type F80 struct {
	Mant uint64
	SE   uint16
}

type State struct {
	R          [8]F80
	CW, SW, TW uint16
	FOP        uint16
	FIP, FDP   uint64
}

func (s *State) Reset()               { *s = State{CW: 0x37f, TW: 0xffff} }
func (s *State) FXSave(b *[512]byte)    {}
func (s *State) FXRestore(b *[512]byte) {}
