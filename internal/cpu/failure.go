package cpu

// Failure is what an engine panics with if it finds that it cannot be trusted: the
// machine stops, and its user is told.
type Failure struct{ Err error }

func (f *Failure) Error() string { return f.Err.Error() }
