//go:build linux && amd64

package lockstep_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/lockstep"
)

// A program is run in lock step, without a seed and with one, and must print what
// it prints natively.
type program struct {
	name string
	long bool // only with TINE_LOCKSTEP=full
	args []string
}

// guest is a program of C that the test compiles.
func guest(source string) []string { return []string{source} }

var programs = []program{
	{"sh", false, []string{"sh", "-c", `i=0; while [ $i -lt 300 ]; do i=$((i+1)); echo $i; done | sort -r | wc -l; kill -9 $$`}},
	{"python", false, []string{"python3", "-IS", "-c", `print({str(i): i ** 0.5 for i in range(300)})`}},
	{"numbers", false, guest("testdata/numbers.c")},
	{"threads", false, guest("../../testdata/guest/thread_signal.c")},
	{"vfork", false, guest("../../testdata/guest/vfork_threads.c")},
	{"shared memory", false, guest("../../testdata/guest/memfd_shm.c")},
	{"debug registers", false, guest("../../testdata/guest/debug_registers.c")},

	{"bash", true, []string{"bash", "-c", `for i in {1..4000}; do x=$((x*31+i)); a[i%100]=$x; done; echo ${a[@]}`}},
	{"perl", true, []string{"perl", "-e", `$h{$_ % 997} .= $_ * 1.5 for 1..40000; for (sort keys %h) { $n++ if $h{$_} =~ /(\d)5(\d)\1/ } print "$n\n"; printf "%.10f\n", sin(1.5) ** 3.3`}},
	{"python with sqlite", true, []string{"python3", "-c", `
import sqlite3, hashlib, zlib, decimal, random, re
c = sqlite3.connect(":memory:")
c.execute("create table t(a integer primary key, b real, c text)")
random.seed(1)
c.executemany("insert into t values(?,?,?)", [(i, random.random(), hashlib.sha256(b"%d" % i).hexdigest()) for i in range(4000)])
c.execute("create index x on t(c)")
print(c.execute("select sum(b), min(c) from t where c like '%ab%' group by a % 7 order by 1").fetchall())
decimal.getcontext().prec = 200
print(decimal.Decimal(2) ** decimal.Decimal("0.5"), zlib.crc32(zlib.compress(bytes(random.randrange(256) for _ in range(20000)))))
print(len(re.findall(r"(\w)\w*\1", " ".join(str(i * i) for i in range(5000)))), 3 ** 5000 % 10 ** 50)`}},
	{"python threads", true, []string{"python3", "-c", `
import threading, signal, os, time
n, lock, seen = [0], threading.Lock(), []
signal.signal(signal.SIGUSR1, lambda *a: seen.append(1))
def work():
    for i in range(2000):
        with lock: n[0] += 1
    os.kill(os.getpid(), signal.SIGUSR1)
    time.sleep(0.01)
t = [threading.Thread(target=work) for _ in range(8)]
for x in t: x.start()
for x in t: x.join()
print(n, len(seen) > 0)`}},
	{"python processes", true, []string{"python3", "-c", `
import multiprocessing as m
if __name__ == "__main__":
    with m.Pool(4) as p: print(sum(p.starmap(pow, [(i, 5) for i in range(1000)])))`}},
	{"gcc", true, []string{"sh", "-c", `cd /tmp && gcc -O2 -march=x86-64-v3 -c -o n.o "$0" && gcc -O0 -S -o - "$0" | md5sum && objcopy -O binary -j .text n.o n.bin && md5sum <n.bin`, "../../testdata/guest/pipes.c"}},
	{"git", true, []string{"sh", "-c", `cd /tmp && rm -rf r && git init -q r && cd r && export GIT_AUTHOR_DATE=2000-01-01T00:00:00Z GIT_COMMITTER_DATE=2000-01-01T00:00:00Z HOME=/ &&
git config user.name a && git config user.email a@b && for i in 1 2 3 4 5; do seq $i 500 >f$i; git add .; git commit -qm $i; done; git gc -q; git fsck; git log --stat | md5sum; git diff HEAD~3 | md5sum; cd ..; rm -rf r`}},
	{"text tools", true, []string{"bash", "-c", `export LC_ALL=C; seq 5000 | awk '{printf "%d %s %.6f\n", $1*7919%30011, sprintf("%x", $1), sqrt($1)}' >/tmp/l; sort -n /tmp/l | md5sum; sort -k2 /tmp/l | uniq -c | tail -3; sed -E 's/([0-9]+) (.*)/\2 \1/' /tmp/l | cut -d' ' -f2 | paste -s -d+ | bc | md5sum; grep -c '7.*7' /tmp/l; tr a-f A-F </tmp/l | rev | fold -w 50 | md5sum; rm /tmp/l`}},
	{"compression", true, []string{"bash", "-c", `seq 8000 >/tmp/c; for z in gzip xz bzip2; do $z -9 </tmp/c | tee >(md5sum >&2) | $z -d | cmp - /tmp/c && echo $z; done 2>/dev/null; sha512sum /tmp/c; b2sum /tmp/c; openssl dgst -sha3-256 /tmp/c; openssl enc -aes-256-gcm -K 00 -iv 00 </tmp/c 2>&1 | md5sum; rm /tmp/c`}},
	{"busybox", true, []string{"busybox", "sh", "-c", `busybox seq 5000 | busybox bzip2 | busybox bunzip2 | busybox sha3sum; busybox find /etc -name '*.conf' | busybox wc -l >/dev/null; busybox awk 'BEGIN { for (i = 0; i < 10000; i++) s += i ^ 1.5; print s }'`}},
}

func TestPrograms(t *testing.T) {
	if err := lockstep.Available(); err != nil {
		t.Skip(err)
	}
	if testing.Short() {
		t.Skip("go test -short")
	}
	seed := uint64(5)
	for _, p := range programs {
		if p.long && os.Getenv("TINE_LOCKSTEP") != "full" {
			continue
		}
		t.Run(p.name, func(t *testing.T) {
			args := p.prepare(t)
			native := exec.Command(args[0], args[1:]...)
			native.Env = env
			want, err := native.Output()
			if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
				t.Skip(err)
			}
			for _, s := range []*uint64{nil, &seed} {
				got, runErr := run(t, s, args)
				if exit := (*tine.ExitError)(nil); (runErr != nil) != (err != nil) || runErr != nil && !errors.As(runErr, &exit) {
					t.Errorf("natively %v, in lock step %v", err, runErr)
				}
				if string(got) != string(want) {
					t.Errorf("printed\n%s\nnatively\n%s", got, want)
				}
			}
		})
	}
}

var env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin"}

// prepare compiles what has to be compiled and says what is to be run.
func (p *program) prepare(t *testing.T) []string {
	args := append([]string(nil), p.args...)
	last := &args[len(args)-1]
	if filepath.Ext(*last) != ".c" {
		return args
	}
	abs, err := filepath.Abs(*last)
	if err != nil {
		t.Fatal(err)
	}
	if *last = abs; len(args) > 1 {
		return args
	}
	args[0] = filepath.Join(t.TempDir(), "guest")
	if out, err := exec.Command("gcc", "-O2", "-static", "-pthread", "-o", args[0], abs, "-lm").CombinedOutput(); err != nil {
		t.Skipf("%v\n%s", err, out)
	}
	return args
}

func run(t *testing.T, seed *uint64, args []string) ([]byte, error) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	cfg := tine.Config{Engine: "lockstep", Seed: seed, Mounts: []tine.Mount{tine.HostDir(root, root, false)}}
	if dir := filepath.Dir(args[0]); dir != "." {
		cfg.Mounts = append(cfg.Mounts, tine.HostDir(dir, dir, false))
	}
	m, err := tine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	c := m.Command(context.Background(), args[0], args[1:]...)
	c.Env = env
	return c.Output()
}
