// Package linux is the x86-64 Linux ABI as data: numbers, names, and the
// layout of the structures that programs and the kernel exchange. It has no
// behaviour.
//
// Constants keep their Linux names. The files zconst.go, zerrno.go and
// zsyscall.go are generated from the system's headers by mkabi.
package linux

//go:generate go run ./mkabi
