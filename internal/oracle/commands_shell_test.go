//go:build linux && amd64

package oracle

// shellCommands are what shells do with processes.
var shellCommands = []command{
	{name: "bash/hello", short: true, script: `echo $((6 * 7)); exit 3`},
	{name: "bash/subshells", short: true, script: `
		x=1; (x=2; echo in $x; exit 7); echo $? out $x
		y=$(echo a; (echo b; exit 3); echo $?); echo "$y"
		for i in 1 2 3; do (exit $i); echo -n "$? "; done; echo
		{ echo group; exit 5; } | cat; echo "${PIPESTATUS[@]}"`},
	{name: "bash/background", short: true, script: `
		sleep 0.05 & a=$!; (exit 4) & b=$!; (exit 9) & c=$!
		wait $b; echo $?; wait $c; echo $?; wait $a; echo $?; wait; echo $?
		wait 4000000 2>/dev/null; echo $?
		for i in 1 2 3 4 5; do (sleep 0.0$i; exit $i) & p="$p $!"; done
		n=0; for j in $p; do wait $j; n=$((n + $?)); done; echo $n
		(sleep 0.05; exit 6) & wait -n; echo $?`},
	{name: "bash/pipeline", short: true, script: `
		seq 1 2000 | grep 7 | sed 's/7/x/' | sort | uniq | tr x 9 | awk '{s += $1} END {print s}' | cat | tee copy | wc -c
		cat copy; false | true; echo $? ${PIPESTATUS[0]}; set -o pipefail; false | true; echo $?
		yes | head -3; echo "${PIPESTATUS[@]}"`},
	{name: "bash/documents", short: true, script: `
		v=value; cat <<A; cat <<'B'; cat <<-C
		expanded $v $(echo sub)
A
not $v
B
		tabs gone
		C
		cat <<< "here $v"
		diff <(seq 1 5) <(seq 2 6); echo $?
		seq 3 | tee >(cat > taken) > /dev/null; while [ ! -s taken ]; do sleep 0.01; done; cat taken`},
	{name: "bash/traps", short: true, script: `
		trap 'echo usr1' USR1; kill -USR1 $$; echo after
		trap 'echo exit $?' EXIT
		(trap 'echo sub exit' EXIT; exit 2); echo $?
		trap 'echo term; exit 9' TERM
		(sleep 0.05; kill -TERM $$) & wait; echo not reached`},
	{name: "bash/signals", short: true, script: `
		ulimit -c 0
		for s in HUP INT KILL TERM SEGV PIPE; do bash -c "kill -s $s \$\$"; echo $s $?; done 2>/dev/null
		sleep 100 & kill -STOP $!; kill -CONT $!; kill $!; wait $! 2>/dev/null; echo $?
		kill -l 9 15 64; kill -0 $$ && echo alive
		timeout 0.05 sleep 10; echo $?; timeout -s KILL 0.05 sleep 10; echo $?`},
	{name: "bash/ulimit", short: true, script: `
		ulimit -a | sed 's/[^ ]*$//'
		ulimit -n 200; ulimit -n; ulimit -Hn; (ulimit -n 100; ulimit -n); ulimit -n
		ulimit -c 0; ulimit -c; ulimit -s 4096; ulimit -s; bash -c 'ulimit -s'
		(ulimit -f 1; head -c 5000 /dev/zero > big); echo $?; stat -c %s big`},
	{name: "bash/redirections", script: `
		exec 3> out 4>&1; echo three >&3; echo four >&4; exec 3>&- 4>&-
		echo x >&3; echo $?
		cat out; ls none > both 2>&1; cat both; set -C; echo y > out; echo $?; echo z >| out; cat out
		exec 5<> rw; echo line >&5; exec 5< rw; read l <&5; echo $l; read -t 0.01 l < <(sleep 1); echo $?`},
	{name: "bash/functions", script: `
		fib() { local n=$1; if ((n < 2)); then echo $n; else echo $(($(fib $((n-1))) + $(fib $((n-2))))); fi; }
		fib 9
		declare -A m; for w in a b a c a; do ((m[$w]++)); done; for k in a b c; do echo $k ${m[$k]}; done
		mapfile -t lines < <(printf '%s\n' one "two three" four); echo ${#lines[@]} "${lines[1]}"
		printf '%05.2f|%-8s|%x|%q\n' 3.14159 left 255 "a b"; [[ foobar =~ o+(b) ]] && echo ${BASH_REMATCH[1]}
		case abc in a*) echo star;; esac; shopt -s extglob
		case aab in +(a)b) echo ext;; esac`},
	{name: "bash/coproc", script: `
		coproc CAT { cat; }; echo hello >&${CAT[1]}; read x <&${CAT[0]}; echo $x; eval "exec ${CAT[1]}>&-"; wait; echo $?`},
	{name: "bash/monitor", script: `
		set -m; sleep 30 & jobs | sed 's/ *&$//'; kill -STOP %1; sleep 0.1; jobs -s | wc -l; bg %1 > /dev/null; kill %1; wait %1 2> /dev/null; echo $?`},
	{name: "bash/exec", script: `
		bash -c 'exec -a other bash -c "echo \$0"'; (exec /none; echo not) 2>/dev/null; echo $?
		echo $BASHPID > a; (echo $BASHPID) > b; cmp -s a b; echo $?; rm a b
		bash -c 'echo $PPID' > p; [ $(cat p) = $$ ] && echo parent; rm p`},
	{name: "dash", short: true, needs: []string{"dash"}, args: []string{"dash", "-c", `
		i=0; while [ $i -lt 5 ]; do i=$((i + 1)); (exit $i) & wait $!; printf '%d ' $?; done; echo
		f() { echo "$@" | while read a b; do echo "$b $a"; done; }; f one two
		trap 'echo bye' 0; set -- a 'b c'; for x; do echo "[$x]"; done; cat <<E
$(echo nested $(echo twice))
E
		exit 6`}},
	{name: "busybox", short: true, needs: []string{"busybox"}, args: []string{"busybox", "sh", "-c", `
		echo start; busybox seq 5 | busybox tac | busybox tr '\n' ' '; echo
		x=$(busybox echo sub); echo $x; (exit 3); echo $?; busybox sleep 0.01 & wait; echo $?
		echo 'a b c' | busybox awk '{print $3, NF}'; busybox expr 6 \* 7; ls /none 2>/dev/null; echo $?`}},
	{name: "sh/script", files: map[string]string{
		"run*":    "#!/bin/sh\n# a script of two files\n. ./lib\nhello \"$1\"\nexec ./last $2\n",
		"lib":     "hello() { echo \"hello $1 from $0\"; }\n",
		"last*":   "#!/bin/bash -e\necho last $*\nfalse\necho not reached\n",
		"in.text": "line\n",
	}, args: []string{"./run", "world", "two"}},
	{name: "sh/many processes", limit: 2 * 60e9, script: `
		n=0; for i in $(seq 300); do n=$((n + $(echo 1))); done; echo $n
		for i in $(seq 100); do sleep 0.2 & done; jobs | wc -l; wait; echo all`},
	{name: "sh/stdin", stdin: "first\nsecond\nthird\n", script: `read a; echo got $a; head -1 > /dev/null; cat; echo end; read b; echo $?`},
	{name: "sh/files", script: `
		mkdir -p a/b/c; echo text > a/b/c/f; ln -s ../b a/link; ln a/b/c/f a/hard; chmod 640 a/hard; touch -d @1000 a/old
		stat -c '%a %h %s %n' a/hard; stat -c %Y a/old; readlink -f a/link/c/f | sed "s|$PWD|PWD|"
		cp -r a d; mv d e; rm -r a/b; find . | sort; du -sb e/b | cut -f1; test -h a/link && echo dangling; umask 077; echo x > priv; stat -c %a priv`},
}
