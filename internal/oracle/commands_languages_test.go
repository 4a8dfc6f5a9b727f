//go:build linux && amd64

package oracle

// python is the distribution's, not one that a version manager put in front.
const python = "/usr/bin/python3"

func pythonScript(name string, short bool, text string) command {
	return command{name: "python/" + name, short: short, needs: []string{python},
		files: map[string]string{"main.py": text}, args: []string{python, "-B", "main.py"}, ignore: []string{"db", "tmp"}}
}

// languageCommands are run times with their own ideas of processes and threads.
var languageCommands = []command{
	pythonScript("hello", true, `
import sys, os, math, json, re
print(sum(i * i for i in range(10000)), math.pi, 0.1 + 0.2, 2 ** 200)
print(json.dumps({"a": [1, 2.5, None], "b": "ü"}), re.sub(r"(\w+) (\w+)", r"\2 \1", "hello world"))
print(sorted({"b": 1, "a": 2}.items()), os.getcwd() == os.environ["HOME"], sys.argv)
sys.exit(4)
`),
	pythonScript("fork", true, `
import os, signal, time
r, w = os.pipe()
pid = os.fork()
if pid == 0:
    os.write(w, b"child of the right parent" if os.getppid() else b"?")
    os._exit(3)
print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid = os.fork()
if pid == 0:
    signal.pause()
os.kill(pid, signal.SIGTERM)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
signal.signal(signal.SIGALRM, lambda s, f: print("alarm"))
signal.setitimer(signal.ITIMER_REAL, 0.05)
signal.pause()
try:
    os.waitpid(-1, 0)
except ChildProcessError as e:
    print(e.errno)
`),
	pythonScript("subprocess", false, `
import subprocess as s
print(s.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
print(s.check_output("tr a-z A-Z", shell=True, input=b"text"))
try: s.run(["none"])
except FileNotFoundError as e: print(e.strerror)
try: s.run(["sleep", "9"], timeout=0.1)
except s.TimeoutExpired as e: print("timeout", round(e.timeout, 2))
p = s.Popen(["cat"], stdin=s.PIPE, stdout=s.PIPE, text=True, start_new_session=True)
print(p.communicate("through cat"), p.returncode)
p = s.Popen(["sleep", "9"]); p.terminate(); print(p.wait())
ps = [s.Popen(["sh", "-c", f"exit {i}"]) for i in range(10)]; print([p.wait() for p in ps])
print(s.run("exit 5", shell=True, env={}, cwd="/", preexec_fn=lambda: None, close_fds=True).returncode)
`),
	pythonScript("threading", false, `
import threading, queue, concurrent.futures as f
lock, n = threading.Lock(), 0
def add():
    global n
    for _ in range(5000):
        with lock: n += 1
ts = [threading.Thread(target=add) for _ in range(6)]
[t.start() for t in ts]; [t.join() for t in ts]; print(n)
q = queue.Queue(3)
def produce():
    for i in range(50): q.put(i)
    q.put(None)
threading.Thread(target=produce).start()
print(sum(iter(q.get, None)))
with f.ThreadPoolExecutor(4) as ex: print(list(ex.map(lambda x: x * x, range(10))))
e = threading.Event(); threading.Timer(0.05, e.set).start(); print(e.wait(10))
b = threading.Barrier(3); out = []
def meet(): out.append(b.wait())
ts = [threading.Thread(target=meet) for _ in range(3)]; [t.start() for t in ts]; [t.join() for t in ts]; print(sorted(out))
`),
	pythonScript("multiprocessing", false, `
import multiprocessing as mp, os, sys
def square(x): return x * x
def put(q, v, n, l):
    for _ in range(100):
        with l: n.value += 1
    q.put((v, os.getppid() > 0))
if __name__ == "__main__":
    for how in ("fork", "spawn"):
        c = mp.get_context(how)
        with c.Pool(2) as p: print(how, p.map(square, range(8)))
        q, n, l = c.Queue(), c.Value("i", 0, lock=False), c.Lock()
        ps = [c.Process(target=put, args=(q, i, n, l)) for i in range(3)]
        [p.start() for p in ps]; print(sorted(q.get() for _ in ps)); [p.join() for p in ps]
        print(n.value, [p.exitcode for p in ps])
        a, b = c.Pipe(); p = c.Process(target=sys.exit, args=(7,)); p.start(); p.join(); print(p.exitcode)
`),
	pythonScript("asyncio", false, `
import asyncio
async def client(port, i):
    r, w = await asyncio.open_connection("127.0.0.1", port)
    w.write(f"hello {i}\n".encode()); await w.drain(); line = await r.readline(); w.close(); return line
async def serve(r, w):
    w.write((await r.readline()).upper()); await w.drain(); w.close()
async def main():
    s = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = s.sockets[0].getsockname()[1]
    print(sorted(await asyncio.gather(*(client(port, i) for i in range(10)))))
    p = await asyncio.create_subprocess_exec("sh", "-c", "cat; exit 3", stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await p.communicate(b"text"), p.returncode)
    try: await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError: print("timeout")
    print(await asyncio.to_thread(lambda: "thread"))
asyncio.run(main())
`),
	pythonScript("sqlite3", false, `
import sqlite3
c = sqlite3.connect("db")
c.execute("create table t(a, b)"); c.executemany("insert into t values (?, ?)", [(i, str(i * i)) for i in range(500)]); c.commit()
print(c.execute("select count(*), sum(a), max(b) from t where a % 3 = 1").fetchall())
d = sqlite3.connect("db", timeout=0.1); c.execute("begin immediate")
try: d.execute("begin immediate")
except sqlite3.OperationalError as e: print(e)
c.rollback(); print(list(c.execute("pragma integrity_check")))
`),
	pythonScript("ssl", false, `
import ssl, hashlib, hmac, secrets, zlib, lzma, bz2, ctypes, decimal
print(hashlib.sha512(b"x").hexdigest()[:20], hashlib.pbkdf2_hmac("sha256", b"p", b"s", 1000).hex()[:20])
print(hmac.new(b"k", b"m", "sha1").hexdigest(), len(secrets.token_bytes(8)), ssl.create_default_context().verify_mode)
d = bytes(range(256)) * 50
print([len(f.compress(d)) for f in (zlib, bz2, lzma)], lzma.decompress(lzma.compress(d)) == d)
print(ctypes.CDLL(None).abs(-5), decimal.Decimal(2).sqrt())
`),
	pythonScript("files", false, `
import os, shutil, tempfile, mmap, glob, fcntl, select, pathlib
os.makedirs("a/b"); open("a/b/f", "w").write("text\n" * 100); shutil.copytree("a", "c"); os.rename("c", "d")
with open("d/b/f", "r+b") as f:
    m = mmap.mmap(f.fileno(), 0); m[:4] = b"TEXT"; print(m.find(b"text"), len(m)); m.close()
print(sorted(glob.glob("**", recursive=True)), pathlib.Path("d/b/f").stat().st_size)
with tempfile.TemporaryDirectory(dir=".") as t: print(os.listdir(t))
p = select.epoll(); r, w = os.pipe(); p.register(r, select.EPOLLIN); os.write(w, b"x"); print(len(p.poll(1)))
f = open("d/b/f"); fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB); print(os.path.realpath("d/../a") == os.getcwd() + "/a")
`),
	{name: "go/goroutines", needs: []string{"go"}, setup: buildGo, args: []string{"./prog"}, ignore: []string{"prog"},
		files: map[string]string{"main.go": `package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"syscall"
	"time"
)

func main() {
	var wg sync.WaitGroup
	var mu sync.Mutex
	sum := 0
	c := make(chan int)
	for i := range 1000 {
		wg.Add(1)
		go func() { defer wg.Done(); c <- i }()
	}
	go func() { wg.Wait(); close(c) }()
	for v := range c {
		mu.Lock()
		sum += v
		mu.Unlock()
	}
	fmt.Println("sum", sum)
	for range 3 {
		garbage := make([][]byte, 0)
		for range 200 {
			garbage = append(garbage, make([]byte, 100_000))
		}
		runtime.GC()
		_ = garbage
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	go http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "you asked for %s", r.URL.Path) }))
	for i := range 5 {
		resp, err := http.Get(fmt.Sprintf("http://%s/page/%d", l.Addr(), i))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		b, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		fmt.Println(resp.StatusCode, string(b))
	}
	out, err := exec.Command("sh", "-c", "echo from a shell; exit 3").CombinedOutput()
	fmt.Printf("%q %v\n", out, err)
	sig := make(chan os.Signal, 1)
	signal.Notify(sig, syscall.SIGUSR1)
	syscall.Kill(os.Getpid(), syscall.SIGUSR1)
	fmt.Println(<-sig)
	select {
	case <-time.After(20 * time.Millisecond):
		fmt.Println("timer")
	}
	// Preemption of a loop without calls, by signal.
	done := make(chan bool)
	stop := false
	go func() { time.Sleep(10 * time.Millisecond); done <- true }()
	go func() { for !stop { } }()
	fmt.Println(<-done)
	defer func() {
		fmt.Println("recovered", recover() != nil)
		os.Exit(5)
	}()
	var p *int
	*p = 1
}
`}},
}
