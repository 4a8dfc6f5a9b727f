package main

import (
	"context"
	"fmt"
	"os"
	"runtime/pprof"
	"time"

	"github.com/tinevm/tine"
)

func main() {
	m, err := tine.New(tine.Config{CPUs: 1})
	if err != nil {
		panic(err)
	}
	f, _ := os.Create("/tmp/cpu.prof")
	pprof.StartCPUProfile(f)
	t := time.Now()
	c := m.Command(context.Background(), os.Args[1], os.Args[2:]...)
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	err = c.Run()
	d := time.Since(t)
	pprof.StopCPUProfile()
	s := m.Stats()
	fmt.Printf("%v %v %.0f Minsn/s (%v)\n", err, s.Instructions, float64(s.Instructions)/1e6/d.Seconds(), d)
	m.Close()
}
