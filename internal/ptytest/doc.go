// Package ptytest runs programs in a pseudo-terminal of the host, types for
// them and looks at their screen. Tests use it.
package ptytest
