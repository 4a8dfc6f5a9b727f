package tine_test

import (
	"context"
	"strconv"
	"strings"
	"testing"

	"github.com/tinevm/tine"
)

// controllerScript uses the controllers of a machine's control groups; run enters
// a group and becomes a program there.
const controllerScript = `
cd /sys/fs/cgroup; echo '+cpu +memory +pids' > cgroup.subtree_control
group() { mkdir $1; [ -n "$2" ] && echo "$3" > $1/$2; }
run() { (echo 0 > $1/cgroup.procs; shift; exec "$@"); }
event() { while read k v; do [ $k = $2 ] && echo "$k $v"; done < $1; }
`

// TestControllers: each controller limits what its group does, and counts it.
// The machine is seeded, so that times are those of its own clock.
func TestControllers(t *testing.T) {
	for _, row := range []struct{ name, script, want string }{
		{"pids.max", `group g pids.max 3
run g sh -c 'sleep 1 & sleep 1 & sleep 1 & wait' 2>&1 | sed 's/.*: //'
cat g/pids.current g/pids.peak; event g/pids.events max | sed 's/[1-9][0-9]*/n/'`,
			"Cannot fork\n0\n3\nmax n\n"},
		{"memory.max", `group g memory.max 16M
(echo 0 > g/cgroup.procs; sleep 99 & python3 -c 'x = bytearray(64 << 20)'; echo $?; kill $!; wait $! 2>/dev/null) 2>/dev/null
event g/memory.events oom; event g/memory.events oom_kill; cat g/memory.peak g/memory.current`,
			"137\noom 1\noom_kill 1\n16777216\n0\n"},
		{"memory.oom.group", `group g memory.max 16M; echo 1 > g/memory.oom.group
run g bash -c 'sleep 99 & python3 -c "x = bytearray(64 << 20)"; echo not reached'; echo $?
event g/memory.events oom_group_kill; event g/memory.events oom_kill; event cgroup.stat nr_descendants`,
			"137\noom_group_kill 1\noom_kill 3\nnr_descendants 1\n"},
		{"memory of files", `group g memory.max 8M
run g dd if=/dev/zero of=/tmp/f bs=64k count=999 2>/dev/null; echo $?; rm /tmp/f; cat g/memory.current`,
			"137\n0\n"},
		{"threads and types", `group g; echo +pids > g/cgroup.subtree_control; mkdir g/sub; cat g/sub/cgroup.type
run g bash -c 'cat g/cgroup.type g/sub/cgroup.type; echo 0 > g/sub/cgroup.procs' 2>&1 | sed 's/.*: //'
echo +memory > g/cgroup.subtree_control
run g true 2>&1 | sed 's/.*: //'; echo -memory > cgroup.subtree_control 2>&1; echo threaded > g/cgroup.type`,
			"domain\ndomain threaded\ndomain invalid\nOperation not supported\nDevice or resource busy\n"},
		{"namespace", `group g; mkdir g/sub
run g/sub unshare -C sh -c 'cat /proc/self/cgroup /proc/1/cgroup; mount -t cgroup2 none /mnt; cat /mnt/cgroup.type'; cat /proc/self/cgroup`,
			"0::/\n0::/../..\ndomain\n0::/\n"},
	} {
		t.Run(row.name, func(t *testing.T) {
			out := inGroups(t, row.script)
			if out != row.want {
				t.Errorf("got\n%swant\n%s", out, row.want)
			}
		})
	}
}

// inGroups runs a script in a seeded machine of its own.
func inGroups(t *testing.T, script string) string {
	t.Helper()
	seed := uint64(1)
	m, err := tine.New(tine.Config{Seed: &seed})
	if err != nil {
		t.Fatal(err)
	}
	out, err := m.Command(context.Background(), "bash", "-c", controllerScript+script).Output()
	if err != nil {
		t.Logf("script: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	return string(out)
}

// TestProcessorShares: cpu.weight shares out the processor, cpu.max keeps a group
// to its quota.
func TestProcessorShares(t *testing.T) {
	const script = `
group a cpu.weight 100; group b cpu.weight 300; group c cpu.max '10000 100000'
for g in a a b c; do run $g sh -c 'while :; do :; done' & done
sleep 1.5; for g in a b c; do echo 1 > $g/cgroup.kill; event $g/cpu.stat usage_usec; done; event c/cpu.stat nr_throttled`
	var n []int
	for _, word := range strings.Fields(inGroups(t, script)) {
		if v, err := strconv.Atoi(word); err == nil {
			n = append(n, v)
		}
	}
	if len(n) != 4 {
		t.Fatalf("output: %v", n)
	}
	if r := float64(n[1]) / float64(n[0]); r < 2 || r > 4.5 {
		t.Errorf("the group of weight 300 had %.2f times the time of that of 100", r)
	}
	if n[2] < 100_000 || n[2] > 180_000 || n[3] < 10 {
		t.Errorf("the group with a tenth of the processor had %d us of 1.5 s and waited %d times", n[2], n[3])
	}
}
