//go:build linux && amd64

package oracle

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tinevm/tine/internal/ptytest"
)

// serviceCommands are daemons and inits with those who talk to them, all in
// one machine. waitFor waits until a command succeeds: how long a daemon takes
// to start is not compared.
var serviceCommands = []command{
	{name: "tini", short: true, needs: []string{"tini"}, script: orphanScript("tini -s -g")},
	{name: "dumb-init", short: true, needs: []string{"dumb-init"}, script: orphanScript("dumb-init")},
	{name: "subreaper keeps a daemon", short: true, needs: []string{"gcc"}, files: map[string]string{"manager.c": managerSource},
		script: `gcc -o manager manager.c && ./manager; echo status $?`, ignore: []string{"manager"}},
	{name: "redis", short: true, needs: []string{"redis-server", "redis-cli"}, script: waitFor + redisStart + `
c set a hello; c get a; c incrby n 41; c incr n
c rpush l 1 2 3; c lrange l 0 -1
c save; c bgsave
waitfor 'c info persistence | grep -q rdb_bgsave_in_progress:0'
c info persistence | grep -o rdb_last_bgsave_status:..
c shutdown nosave; wait $R; echo status $?
test -s dump.rdb && echo saved`, ignore: []string{"dump.rdb", "log"}},
	{name: "redis writes while it saves", needs: []string{"redis-server", "redis-cli", "redis-benchmark"}, script: waitFor + redisStart + `
c config set appendonly yes
waitfor 'c info persistence | grep -q aof_rewrite_in_progress:0'
for i in $(seq 200); do echo set key$i value$i; done | c > /dev/null
c bgrewriteaof
for i in $(seq 50); do echo set key$i changed$i; done | c > /dev/null
waitfor 'c info persistence | grep -q aof_rewrite_in_progress:0'
c info persistence | grep -o 'aof_last_bgrewrite_status:..'
c subscribe news > heard & S=$!
waitfor 'test $(c publish news hello) = 1'
waitfor 'grep -q hello heard'; kill $S; cat heard
redis-benchmark -s ./sock -n 1000 -q -t set,get,lpush,mset | tr '\r' '\n' | grep -c 'requests per second'
c shutdown; wait $R; echo status $?
redis-server --port 0 --unixsocket ./sock --appendonly yes > log 2>&1 &
waitfor 'c ping | grep -q PONG'
c dbsize; c mget key1 key50 key51 key200
c shutdown; wait $!; echo status $?`, ignore: []string{"dump.rdb", "log", "appendonlydir"}},
	{name: "postgres", needs: []string{"root", "/usr/lib/postgresql/15/bin/postgres", "psql"}, script: `
B=/usr/lib/postgresql/15/bin D=$PWD/db
mkdir $D && chown postgres $D
su postgres -c "$B/initdb -D $D -A trust --locale=C -N" | grep -o Success
su postgres -c "$B/pg_ctl -D $D -w -t 120 -l $D/log -o '-c listen_addresses= -k $D' start" | tail -1
q() { psql -h $D -U postgres -qAt -c "$1"; }
q "create table t(i int primary key, s text)"
q "insert into t select g, md5(g::text) from generate_series(1, 10000) g"
q "select count(*), sum(i), min(s), max(s) from t"
for k in 0 1 2 3; do q "update t set s = s || '$k' where i % 4 = $k" & done; wait
q "select right(s, 1), count(*), sum(length(s)) from t group by 1 order by 1"
q "begin; delete from t; rollback; select count(*) from t"
q "select 1/0"; echo status $?
su postgres -c "$B/pg_ctl -D $D -w -m fast stop" | tail -1
grep -o 'database system is shut down' $D/log
rm -r $D`},
	{name: "sshd", needs: []string{"root", "/usr/sbin/sshd", "ssh"}, script: waitFor + sshScript},
	{name: "runit", needs: []string{"runsvdir", "sv"}, files: map[string]string{"sv/one/run*": loopService}, script: waitFor + `
export SVDIR=$PWD/sv
says() { sv "$@" | sed 's/pid [0-9]*/pid N/; s/ [0-9]*s/ Ns/g'; }
runsvdir -P sv & R=$!
waitfor 'sv status one | grep -q ^run'; says status one
says down one; waitfor 'sv status one | grep -q ^down'; says status one
says up one; waitfor 'sv status one | grep -q ^run'
p=$(cat sv/one/supervise/pid); kill -9 $p
waitfor 'test "$(cat sv/one/supervise/pid)" != "$p" && sv status one | grep -q ^run'; says status one
p=$(cat sv/one/supervise/pid); says term one
waitfor 'test "$(cat sv/one/supervise/pid)" != "$p" && sv status one | grep -q ^run'; says status one
says exit one
kill -HUP $R; wait $R; echo status $?`, ignore: []string{"sv/one/supervise"}},
	{name: "s6", needs: []string{"s6-svscan", "s6-svc", "s6-svstat"}, files: map[string]string{"sv/one/run*": loopService}, script: waitFor + `
says() { s6-svstat "$@" | sed 's/pid [0-9]*/pid N/; s/pgid [0-9]*/pgid N/; s/[0-9]* seconds/N seconds/g'; }
s6-svscan sv & R=$!
waitfor 's6-svstat -o up sv/one | grep -q true'; says sv/one
s6-svc -wd -d sv/one; says sv/one
s6-svc -wu -u sv/one; says sv/one
p=$(s6-svstat -o pid sv/one); kill -9 $p
waitfor 'q=$(s6-svstat -o pid sv/one); test $q != -1 -a $q != $p'; says sv/one
s6-svscanctl -t sv; wait $R; echo status $?`, ignore: []string{"sv/one/supervise", "sv/one/event", "sv/.s6-svscan"}},
	{name: "stress-ng", needs: []string{"stress-ng"}, script: `
for s in fork:50 vfork:50 clone:50 zombie:50 daemon:50 kill:500 pthread:50 pipe:500 switch:500 wait:20 sigsegv:50; do
	stress-ng --${s%:*} 2 --${s%:*}-ops ${s#*:} --timeout 20s --metrics-brief > out 2>&1
	echo ${s%:*} status $?, $(grep -o 'successful run completed' out)
done`, ignore: []string{"out"}},
}

// waitFor waits up to a minute.
const waitFor = `waitfor() { local i; for i in $(seq 300); do eval "$1" > /dev/null 2>&1 && return; sleep 0.2; done; echo "in vain: $1"; }
`

// orphanScript runs an init that has a program and an orphan: the init takes
// it in, if it is process 1 or a subreaper, and no zombie is left.
func orphanScript(init string) string {
	return init + ` -- sh -c '
	(sh -c "sleep 0.1; exit 3" & exec true)
	(exec sh -c "sleep 0.2" &)
	sleep 0.5
	for f in /proc/[0-9]*/stat; do read -r line < $f && case $line in *") Z $PPID "*) echo a zombie: $line;; esac; done 2> /dev/null
	exit 5'; echo status $?
` + init + ` -- sh -c 'trap "echo term; exit 6" TERM; kill -TERM $PPID; while :; do :; done'; echo status $?
` + init + ` -- sh -c 'kill -KILL $$'; echo status $?`
}

const redisStart = `c() { redis-cli -s ./sock "$@"; }
redis-server --port 0 --unixsocket ./sock --save "" > log 2>&1 &
R=$!
waitfor 'c ping | grep -q PONG'
`

const loopService = `#!/bin/sh
trap 'exit 0' TERM
while :; do sleep 0.2; done
`

// sshScript stays clear of the user's own files and of passwords.
const sshScript = `mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N '' -f hostkey; ssh-keygen -q -t ed25519 -N '' -f key
cat > config <<F
Port 22022
ListenAddress 127.0.0.1
HostKey $PWD/hostkey
PidFile $PWD/pid
AuthorizedKeysFile $PWD/key.pub
PermitRootLogin yes
StrictModes no
UsePAM no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
F
/usr/sbin/sshd -f config -E log
waitfor 'test -s pid'
o="-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o KexAlgorithms=curve25519-sha256 -i key"
s() { ssh $o -p 22022 "$@"; }
s root@127.0.0.1 'echo hello from $USER; exit 7' < /dev/null; echo status $?
echo typed | s root@127.0.0.1 'cat; echo error >&2; kill -9 $$' 2>&1; echo status $?
seq 1000 > file
scp -q $o -P 22022 file root@127.0.0.1:$PWD/copy && cmp file copy && echo copied
s -tt root@127.0.0.1 'test -t 0 && stty size && bash --norc --noprofile -ic "sleep 100 & jobs; kill %1; wait; fg; echo done"' < /dev/null 2>&1 | sed 's/\] [0-9]*/] N/'
s -o IdentitiesOnly=yes -o BatchMode=yes -i hostkey -o IdentityFile=none nobody@127.0.0.1 true < /dev/null 2>&1 | grep -o 'Permission denied'
kill $(cat pid)
waitfor '! test -e pid'
rm -f hostkey* key* config log copy
`

// managerSource is a service manager: a subreaper that starts a daemon which
// forks twice, so that it becomes the manager's child, and waits for its end.
const managerSource = `#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
int main(void) {
	int p[2], status, n = 0;
	char c;
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	pipe(p);
	int manager = getpid(), child = fork();
	if (child == 0) {
		setsid();
		if (fork() == 0) {
			close(p[0]);
			while (getppid() != manager)
				usleep(1000);
			write(p[1], "r", 1);
			_exit(9);
		}
		_exit(0);
	}
	close(p[1]);
	if (read(p[0], &c, 1) == 1)
		puts("the daemon is the manager's child");
	for (int pid; (pid = wait(&status)) > 0; n++)
		printf("%s: status %d\n", pid == child ? "child" : "daemon", WEXITSTATUS(status));
	printf("%d reaped\n", n);
	return n == 2 ? 0 : 1;
}
`

// TestServices compares services with native Linux.
func TestServices(t *testing.T) {
	for _, c := range serviceCommands {
		if size == "short" && !c.short {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			start(t)
			need(t, c.needs...)
			testCommand(t, c)
		})
	}
}

// A boot is an init on the console of tine boot, a person who logs in, and the
// end of the machine. No native run can show it: what has to be on the screen
// is said.
type boot struct {
	name    string
	short   bool
	needs   []string
	inittab string // DIR is the folder with the file login
	init    []string
	steps   []press
	signal  syscall.Signal // sent to tine after the steps
	code    int            // of its end
}

// press is one step: what is typed, and how often the screen then has shown a
// text.
type press struct {
	typed string
	times int
	shows string
}

// secretLine is the rest of a line of shadow(5) for the password "secret".
const secretLine = ":$6$saltsalt$TVLlQcbpFVof5W3Yz4DTP6gRstiNuHwwTt6GLc1E5n0U0aDehy0S5knV8wiOQSpT0Y77vwPZN.Pq.H91p5hVO1:19000:0:99999:7:::\n"

// bootFiles are what all of them have.
var bootFiles = map[string]string{
	"passwd":  "root:x:0:0:root:/:/bin/sh\nguest:x:1000:1000:Guest:/:/bin/bash\n",
	"shadow":  "root" + secretLine + "guest" + secretLine,
	"login*":  "#!/bin/sh\nexec /bin/busybox login \"$@\"\n",
	"profile": "PS1='$USER> '\n",
}

// busyboxInittab has a login of busybox.
const busyboxInittab = `::sysinit:/bin/echo boot script
::respawn:/bin/busybox getty -l DIR/login 38400 console linux
::shutdown:/bin/echo shutting down
`

// sysvInittab has those of Debian.
const sysvInittab = `id:2:initdefault:
si::sysinit:/bin/echo boot script
1:2345:respawn:/sbin/agetty --noclear console 38400 linux
l0:0:wait:/bin/sh -c "echo going down; exec /sbin/halt -d -f -p"
`

func logIn(nth int, user, prompt string) []press {
	return []press{
		{"", nth, "tine login:"}, {user + "\r", nth, "Password:"}, {"secret\r", 1, prompt},
	}
}

var boots = []boot{
	{name: "busybox poweroff", short: true, needs: []string{"busybox"}, inittab: busyboxInittab, init: []string{"busybox", "init"},
		steps: append(logIn(1, "root", "root>"), press{"busybox poweroff\r", 1, "shutting down"}, press{"", 1, "Requesting system poweroff"})},
	{name: "busybox reboot", needs: []string{"busybox"}, inittab: busyboxInittab, init: []string{"busybox", "init"},
		steps: append(logIn(1, "root", "root>"), press{"busybox reboot\r", 1, "Requesting system reboot"})},
	{name: "busybox halt", needs: []string{"busybox"}, inittab: busyboxInittab, init: []string{"busybox", "init"},
		steps: append(logIn(1, "root", "root>"), press{"busybox halt\r", 1, "Requesting system halt"})},
	{name: "busybox logins", needs: []string{"busybox", "ps"}, inittab: busyboxInittab, init: []string{"busybox", "init"}, signal: syscall.SIGTERM,
		steps: slices.Concat(
			[]press{{"", 1, "boot script"}, {"", 1, "tine login:"}, {"guest\r", 1, "Password:"}, {"wrong\r", 1, "Login incorrect"}},
			[]press{{"", 2, "tine login:"}, {"guest\r", 2, "Password:"}, {"secret\r", 1, "guest>"}},
			[]press{
				{"tty; id -u; kill -9 1\r", 1, "/dev/console\n1000\n"}, {"", 1, "not permitted"},
				{sleeper("asleep"), 1, "\nasleep"}, {"\x1a", 1, "Stopped"}, {"jobs\r", 2, "Stopped"},
				{"fg\r", 1, "fg\n"}, {"\x03", 1, "^C"}, {"sleep 77 &\r", 1, "[1]"}, {"exit\r", 3, "tine login:"},
			},
			[]press{{"root\r", 3, "Password:"}, {"secret\r", 1, "root>"}, {"ps -o ppid= -C sleep\r", 1, "\n      1\n"}},
		)},
	{name: "sysvinit", needs: []string{"/sbin/telinit", "/sbin/agetty"}, inittab: sysvInittab, init: []string{"/sbin/init"},
		steps: slices.Concat(
			logIn(1, "root", "root>"), []press{{"runlevel; tty\r", 1, "N 2\n/dev/console\n"}, {"exit\r", 2, "tine login:"}},
			[]press{{"guest\r", 2, "Password:"}, {"secret\r", 1, "guest>"}, {"cat /proc/self/loginuid\r", 1, "1000guest>"}, {"exit\r", 3, "tine login:"}},
			[]press{{"root\r", 3, "Password:"}, {"secret\r", 3, "root>"}, {"poweroff\r", 1, "going down for system halt"}, {"", 1, "\ngoing down\n"}},
		)},
	{name: "SIGTERM", short: true, needs: []string{"tini"}, init: []string{"tini", "-g", "--", "sh"}, signal: syscall.SIGTERM,
		steps: []press{{"", 1, "#"}, {"sleep 1000 & trap 'echo stopping; exit 3' TERM; tty\r", 1, "/dev/console"}, {"while :; do wait; done\r", 1, "done"}}, code: 3},
}

// TestBoot boots machines from the console.
func TestBoot(t *testing.T) {
	for _, b := range boots {
		if size == "native" || size == "short" && !b.short {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			start(t)
			need(t, b.needs...)
			b.test(t)
		})
	}
}

func (b *boot) test(t *testing.T) {
	bin, err := tineBinary()
	if err != nil {
		t.Fatal(err)
	}
	dir := scratch(t)
	fill(t, dir, bootFiles)
	if err := os.WriteFile(filepath.Join(dir, "inittab"), []byte(strings.ReplaceAll(b.inittab, "DIR", dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	args := []string{"boot", "--hostname", "tine", "-v", dir + ":" + dir}
	if e := os.Getenv("TINE_ENGINE"); e != "" {
		args = append(args, "--engine="+e)
	}
	for _, name := range []string{"passwd", "shadow", "profile", "inittab"} {
		args = append(args, "-v", filepath.Join(dir, name)+":/etc/"+name)
	}
	cmd := exec.Command(bin, append(append(args, "--"), b.init...)...)
	cmd.Env, cmd.Dir = hostEnviron(), dir
	p := ptytest.Start(t, cmd, 200, cols)
	for i, k := range b.steps {
		p.Type(k.typed)
		if !p.WaitFor(time.Minute, func(screen string) bool { return strings.Count(screen+"\n", k.shows) >= k.times }) {
			t.Fatalf("step %d (%q) does not show %q %d times:\n%s", i, k.typed, k.shows, k.times, p.Screen())
		}
		p.Settle(200 * time.Millisecond) // not every program shows when it is ready for keys
	}
	if b.signal != 0 {
		if err := p.Process().Signal(b.signal); err != nil {
			t.Fatal(err)
		}
	}
	if code := p.Wait(time.Minute); code != b.code {
		t.Errorf("exit code %d, want %d:\n%s", code, b.code, p.Screen())
	}
}
