//go:build linux && amd64

package oracle

// fixedGit makes two commits of the same thing alike.
var fixedGit = []string{
	"GIT_AUTHOR_NAME=A", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=C", "GIT_COMMITTER_EMAIL=c@d",
	"GIT_AUTHOR_DATE=1700000000 +0000", "GIT_COMMITTER_DATE=1700000000 +0000", "GIT_CONFIG_NOSYSTEM=1",
}

// toolCommands are programs that one finds in a distribution's base.
var toolCommands = []command{
	{name: "coreutils/text", short: true, script: `
		seq 1 100 > n; shuf --random-source=<(yes) n | sort -n | cmp - n && echo same
		sort -r n | head -2; tail -n 2 n; wc n; cut -c2 n | sort | uniq -c | head -3; paste -d, n n | sed -n 5p
		tr a-z A-Z <<< hello; fold -w 10 n | nl | tail -1; md5sum n; sha256sum n | cut -c1-16; base64 <<< text
		od -An -tx1 <<< ab; printf '%.3f %e\n' 2.5 12345.678; expr 17 % 5; factor 123456789; join <(seq 3) <(seq 2 4)
		split -l 30 n part-; ls part-*; comm -12 <(seq 1 3) <(seq 2 5); numfmt --to=iec 123456`},
	{name: "coreutils/system", script: `
		id -u; uname -sm; basename /a/b.c .c; dirname /a/b; nice -n 5 nice; env -i A=1 env; pwd | sed "s|$PWD|PWD|"
		test -c /dev/null && echo char; echo x > /dev/null; head -c 3 /dev/zero | od -An -tx1; true && false || echo or
		mkfifo f; echo through > f & cat f; wait; stat -c %F f; dd if=/dev/zero of=z bs=1k count=3 2>/dev/null; stat -c %s z
		truncate -s 10 z; stat -c %s z; sync z; nohup true 2>/dev/null; echo $?; tty; getconf PAGE_SIZE; timeout 5 echo in time`},
	{name: "grep awk sed", short: true, needs: []string{"awk", "perl"}, script: `
		for i in $(seq 200); do echo "line $i $((i * i % 97))"; done > t
		grep -c 7 t; grep -E '(1|2)3$' t | head -3; grep -o 'e [0-9]*' t | tail -1; grep -v e t; echo $?
		awk '{s[$3 % 5] += $2} END {for (i = 0; i < 5; i++) printf "%d %d\n", i, s[i]}' t
		awk 'BEGIN {printf "%.6f %s %d\n", atan2(0,-1), substr("substring", 4, 3), length("four")}'
		sed -n '3,5s/line \([0-9]*\).*/\1!/p;$=' t; sed -i 's/^/> /;10q' t; cat t`},
	{name: "perl", needs: []string{"perl"}, script: `
		perl -e '
		$SIG{CHLD} = sub { $got++ }; for my $n (1..3) { my $p = fork; exit $n if !$p; waitpid $p, 0; print $? >> 8, "\n" }
		print "chld $got\n"; my @s = sort { $b <=> $a } map { $_ * 7 % 11 } 1..10; print "@s\n";
		open my $h, "-|", "echo piped; exit 2"; print <$h>; close $h; print $? >> 8, "\n";
		my %h; $h{$_ % 3} .= $_ for 1..9; print join(",", map { "$_=$h{$_}" } sort keys %h), "\n"; printf "%.10g\n", exp(1);
		eval { local $SIG{ALRM} = sub { die "alarm\n" }; alarm 1; select undef, undef, undef, 5; }; print $@;
		$_ = "x" x 10; s/x/y/g; print length, " $_\n"; print "ok\n" if "foobar" =~ /^(?<a>f.)(?=o)/; exec "true"'`},
	{name: "tar gzip xz", needs: []string{"tar", "gzip", "xz"}, script: `
		mkdir d; seq 20000 > d/numbers; ln -s numbers d/link; chmod 600 d/numbers
		tar --sort=name --mtime=@0 --owner=0 --group=0 -cf a.tar d; sha256sum < a.tar; gzip -nk a.tar; xz -kT1 a.tar; ls -1
		mkdir x; tar xzf a.tar.gz -C x; cmp d/numbers x/d/numbers && echo gzip good; rm -r x; mkdir x; tar xJf a.tar.xz -C x
		diff -r d x/d && echo xz good; gzip -t a.tar.gz && zcat a.tar.gz | tar t; head -c 100 a.tar.gz | gzip -t 2>/dev/null; echo $?`,
		ignore: []string{"x/d/numbers"}},
	{name: "git", needs: []string{"git"}, env: fixedGit, script: `
		set -e; git init -q -b main r; cd r; echo one > a; mkdir d; echo two > d/b; git add .; git commit -qm first; echo more >> a
		git diff --stat; git commit -qam second; git log --format='%h %an %s'; git branch side; git checkout -q side; echo side > s
		git add s; git commit -qm side; git checkout -q main; git merge -q --no-edit side; git log --oneline --graph | cat
		git gc -q; git fsck; git status --short; git ls-tree -r HEAD; git clone -q . ../copy; cd ../copy; cat a d/b s; git rev-parse HEAD; git grep -n two`,
		ignore: []string{"r/.git", "copy/.git"}},
	{name: "sqlite3", needs: []string{"sqlite3"}, ignore: []string{"db"}, script: `
		sqlite3 db 'create table t(a integer primary key, b text); insert into t(b) values ("x"), ("y"); pragma journal_mode=wal; select count(*), group_concat(b) from t'
		echo 'with recursive c(n) as (select 1 union all select n + 1 from c where n < 1000) select sum(n), avg(n), max(n) from c;' | sqlite3 db
		sqlite3 db 'pragma integrity_check'; sqlite3 db 'select * from none'; echo $?`},
	{name: "openssl", needs: []string{"openssl"}, script: `
		echo text | openssl dgst -sha256; echo text | openssl enc -aes-256-cbc -K 00 -iv 00 2>/dev/null | openssl base64
		openssl prime 104729; openssl genrsa -out k 2048 2>/dev/null; echo signed > m; openssl dgst -sign k -out s m
		openssl rsa -in k -pubout -out p 2>/dev/null; openssl dgst -verify p -signature s m; rm k s p`},
	{name: "ip", short: true, needs: []string{"root", "unshare", "ip"}, script: `
		unshare -n sh -c 'ip addr; ip addr add 127.0.0.1/8 dev lo; ip addr add 127.0.0.1/8 dev lo; ip link set lo up mtu 9000; ip addr add 10.1.2.3/24 dev lo; ip addr
		ip route show table all; ip -6 route show table all; ip rule; ip route get 10.1.2.77; ip addr del 127.0.0.9/8 dev lo; ip link add dummy0 type dummy; ip link del lo
		ip link set none up; ip route del 9.9.9.0/24; ip link set lo down; ip -o link; ip addr; cat /proc/net/if_inet6; unshare -U ip link set lo up' 2>&1`},
	{name: "bwrap", needs: []string{"root", "bwrap", "ip"}, script: `
		bwrap --unshare-all --ro-bind / / true; echo $?; bwrap --unshare-all --ro-bind / / --proc /proc --dev /dev --tmpfs /tmp sh -c 'id -u; ls /tmp; ls /dev; ip -o addr; touch /etc/x; echo $$'
		bwrap --unshare-user --uid 1000 --gid 1000 --ro-bind / / --hostname box --unshare-uts --unshare-pid --chdir / --setenv A b sh -c 'id -u; hostname; pwd; echo $A; exit 7'; echo $?
		bwrap --ro-bind / / --cap-drop ALL --new-session grep -E 'NoNewPrivs|CapEff' /proc/self/status`},
	{name: "strace by filter", needs: []string{"strace"}, script: `
		strace --seccomp-bpf -f -o t -e trace=execve,chdir sh -c 'cd /; (cd /usr; exec true); false'; echo $?; sed 's/^[0-9]* *//; s/0x[0-9a-f]*/PTR/g; s/ \/\* .*//' t | grep -v SIGCHLD`, ignore: []string{"t"}},
	{name: "xargs find", script: `
		mkdir -p t/{1..5}; for i in t/*; do seq 10 > $i/f; done; find t -name f | sort | xargs -n 2 -P 2 wc -l | grep -c f
		find t -name f -exec cat {} + | wc -l; find t -type d | wc -l; seq 20 | xargs -n 6 echo; echo 'a b' | xargs -I{} echo '<{}>'; find t -empty; echo 1 | xargs false; echo $?`},
	{name: "bc and m4", needs: []string{"bc"}, script: `echo 'scale=30; 4*a(1); 2^200' | bc -l`},
	{name: "proc readers", needs: []string{"ps", "pgrep"}, script: `
		sleep 100 & p=$!; ps -o comm= -p $p; ps -o stat= -p $p | cut -c1; pgrep -P $$ sleep | grep -c .; kill $p; wait $p 2>/dev/null
		ps -p $p > /dev/null; echo $?; ps -o ppid= -p $BASHPID | grep -c .; cat /proc/self/comm; tr '\0' ' ' < /proc/self/cmdline; echo`},
}
