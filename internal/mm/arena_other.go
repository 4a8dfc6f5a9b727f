//go:build !linux

package mm

// populate does nothing where there is no way to make memory ready.
func (a *frameArena) populate(Frame) {}
