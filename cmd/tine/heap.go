package main

import (
	"os"
	"runtime"
	"runtime/debug"
)

// ballast is never written, so that it takes no memory, but the garbage collector
// lets the heap double, ballast included, before it runs again.
//
//lint:ignore U1000 to be held is its purpose
var ballast []byte

const ballastSize = 64 << 20

// stackSize is what a short run needs.
const stackSize = 12 << 10

// growStack makes room on the stack at once, before there is anything on it. Go
// would double it each time it is full, and look up every frame to move it.
//
//go:noinline
func growStack() byte {
	var room [stackSize]byte
	return room[len(os.Args)%stackSize]
}

// collectSeldom makes the garbage collector of a small heap wait: the kernel makes
// and drops objects with every process, and would be collected all the time. A
// short run has no collection at all; the first one brings the ballast. GOGC, if
// it is set, stays in force.
func collectSeldom() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(800) // the first at 32 MiB
	sentinel := new([64]byte)
	runtime.SetFinalizer(sentinel, func(*[64]byte) {
		ballast = make([]byte, ballastSize)
		debug.SetGCPercent(usual)
	})
}
