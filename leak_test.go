//go:build linux && amd64

package tine_test

import (
	"context"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/fs/hostfs"
	"github.com/tinevm/tine/internal/mm"
)

// held counts what a machine could leave behind in the host process.
type held struct{ frames, goroutines, descriptors int }

func count(t *testing.T) held {
	t.Helper()
	hostfs.DropCaches()
	fds, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return held{mm.Live(), runtime.NumGoroutine(), len(fds)}
}

// TestCloseLeavesNothing runs processes, threads, files and sockets, leaves
// some of them running, and counts after Close.
func TestCloseLeavesNothing(t *testing.T) {
	const script = `
echo data > /tmp/file; mkdir -p /tmp/a/b; mkfifo /tmp/p
exec 3<>/tmp/file; ln /tmp/file /tmp/other; rm /tmp/file
(sleep 1000 &) ; sleep 1000 & cat /tmp/p & (exit 3) &
python3 -c 'import threading,socket,time,mmap,os
a,b=socket.socketpair(); s=socket.socket(); s.bind(("127.0.0.1",0)); s.listen()
m=mmap.mmap(-1,1<<20); m[0]=1
threading.Thread(target=time.sleep,args=(1000,)).start()
os.fork(); time.sleep(1000)' &
sleep 0.5; echo ready`
	before := count(t)
	for range 3 {
		m, err := tine.New(tine.Config{})
		if err != nil {
			t.Fatal(err)
		}
		out, err := m.Command(context.Background(), "bash", "-c", script).Output()
		if err != nil || string(out) != "ready\n" {
			t.Fatalf("script: %q, %v", out, err)
		}
		if err := m.Close(); err != nil {
			t.Fatal(err)
		}
		var after held
		for range 100 { // goroutines take a moment to go
			if after = count(t); after == before {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if after != before {
			t.Errorf("before the machine %+v, after it %+v", before, after)
		}
	}
}
