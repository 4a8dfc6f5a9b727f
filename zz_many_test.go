package tine_test
import ("testing";"context";"os";"runtime/pprof";"runtime";"github.com/tinevm/tine")
func TestZZMany(t *testing.T) {
	m, _ := tine.New(tine.Config{CPUs:1, Engine: "jit", Mounts: []tine.Mount{tine.HostDir("/tmp/many","/many",false)}})
	c := m.Command(context.Background(), "/many", os.Getenv("N"))
	c.Stdout=os.Stdout
	c.Start()
	if os.Getenv("HEAP") != "" {
		for { var n int; n = m.Stats().Tasks; if n > 19000 { break } }
		runtime.GC()
		f,_ := os.Create("/tmp/heap.prof"); pprof.WriteHeapProfile(f); f.Close()
		t.Log(m.Stats())
		return
	}
	c.Wait()
	m.Close()
}
