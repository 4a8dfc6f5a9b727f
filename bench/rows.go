package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// A measurement is a program to run, and the rows that its values are.
type measurement struct {
	values []named
	// args is the command line on a target.
	args func(t *target, dir string) ([]string, error)
	cpu  bool                 // guest instructions a second make sense
	warm bool                 // run it once uncounted: it does not warm up by itself
	anew bool                 // without the translations that tine has kept of former runs
	on   func(t *target) bool // nil: on all
	// check, if there is one, says why the host is too small.
	check func(t *target) error
}

// named is a row and the value that it shows.
type named struct {
	name string // the section of the report, a slash, and what is measured
	key  string // the value's name, or "" for the time from outside
}

func (m measurement) name() string { return m.values[0].name }

// matches says whether one of its rows is asked for.
func (m measurement) matches(run *regexp.Regexp) bool {
	return slices.ContainsFunc(m.values, func(v named) bool { return run.MatchString(v.name) })
}

// micro is a measurement made by a micro program itself, in about as many
// milliseconds.
func micro(name, key, prog string, ms int, args ...any) measurement {
	return measurement{values: []named{{name, key}}, args: func(_ *target, dir string) ([]string, error) {
		list := []string{filepath.Join(dir, prog), fmt.Sprint(ms)}
		for _, a := range args {
			list = append(list, fmt.Sprint(a))
		}
		return list, nil
	}}
}

// and makes another row of the same runs.
func (m measurement) and(name, key string) measurement {
	m.values = append(m.values[:len(m.values):len(m.values)], named{name, key})
	return m
}

// program is a measurement of a whole program from outside.
func program(name string, args ...string) measurement {
	return measurement{values: []named{{name, ""}}, warm: true, args: func(*target, string) ([]string, error) {
		if _, err := os.Stat(args[0]); err != nil {
			return nil, err
		}
		return args, nil
	}}
}

// selfTimed makes the program's own value count, in place of the time from outside.
func (m measurement) selfTimed(key string) measurement {
	m.values[0].key, m.warm = key, false
	return m
}

// translatedAnew is another row, of the runs of tine that find no translations kept.
func (m measurement) translatedAnew() measurement {
	m.values = []named{{m.name() + anew, m.values[0].key}}
	m.anew = true
	m.on = func(t *target) bool { return t.Name == "native" || t.Name == "tine" }
	return m
}

// notOnQemu excludes qemu-user where the program's children would run natively.
func (m measurement) notOnQemu() measurement {
	m.on = func(t *target) bool { return t.Name != "qemu" }
	return m
}

// forkName is how the rows of fork are called.
func forkName(mb, mappings int) string {
	what := map[int]string{0: "nothing touched", 64: "64 MB touched", 1024: "1 GB touched", 4096: "4 GB touched"}[mb]
	if mappings > 1 {
		what += fmt.Sprintf(" in %s mappings", thousands(mappings))
	}
	return what
}

// Names of rows that goals speak of.
const (
	rowForkNothing = "process/fork + exit + wait, nothing touched"
	rowFork1GB     = "process/fork + exit + wait, 1 GB touched"
	rowTrue        = "program/start of /bin/true"
	rowBash        = "program/bash, 500 command substitutions"
	rowGccCold     = "program/gcc -c, 500 lines, in a new machine"
	rowGccWarm     = "program/gcc -c, 500 lines, again in the same machine"
	rowPythonLoop  = "program/python3 loop"
	rowPython      = "program/python3 start"

	anew = ", nothing translated before" // follows the name of another row
)

// measurements is the list of rows; -quick makes the measuring shorter.
func measurements(o *options) []measurement {
	ms := 300
	if o.quick {
		ms = 60
	}
	list := []measurement{
		micro("kernel/null system call", "null", "kernel", ms, "null"),
		micro("kernel/signal to self", "signal", "kernel", ms, "signal"),
		micro("kernel/pipe round trip", "pipe", "kernel", ms, "pipe"),
		micro("kernel/futex round trip", "futex", "kernel", ms, "futex"),
	}
	for _, f := range [][2]int{{0, 1}, {64, 1}, {1024, 1}, {4096, 1}, {1024, 10000}} {
		if o.quick && f[0] > 1024 {
			continue
		}
		name := forkName(f[0], f[1])
		m := micro("process/fork + exit + wait, "+name, "wait", "process", ms, "fork", f[0], f[1])
		m.check = func(*target) error { return enoughMemory(f[0]) }
		list = append(list, m.and("process/fork call alone, "+name, "call"))
	}
	list = append(list,
		micro("process/copy-on-write fault", "cow", "process", ms, "cow"),
		micro("process/first touch of a page", "touch", "process", ms, "touch"),
		micro("process/pthread create + join", "thread", "process", ms, "thread"))
	for _, how := range [][2]string{{"forkexec", "fork + exec + wait"}, {"vfork", "vfork + exec + wait"}, {"spawn", "posix_spawn + wait"}} {
		m := micro("process/"+how[1]+", small static program", how[0], "process", ms, how[0])
		own := m.args
		m.args = func(t *target, dir string) ([]string, error) {
			args, err := own(t, dir)
			return append(args, t.child(dir)...), err
		}
		list = append(list, m)
	}
	for _, k := range cpuKernels {
		m := micro("cpu/"+k, k, "cpu", ms, k)
		m.cpu = true
		list = append(list, m)
	}
	return append(list, programs(o, ms)...)
}

// cpuKernels are the functions of micro/cpu.c.
var cpuKernels = []string{"hash", "sort", "matrix", "mandelbrot", "chase", "strings", "bytecode", "calls"}

// pythonLoop runs a loop in pieces until the time is over.
const pythonLoop = `
from time import perf_counter_ns as now
def loop(n):
    s = 0
    for i in range(n): s += i * i %% 7
    return s
loop(20000)
start, n = now(), 0
while n < 20000 or now() - start < %d:
    loop(20000)
    n += 20000
print("loop", (now() - start) / n)
`

// programs are the rows of programs that nobody built for measuring.
func programs(o *options, ms int) []measurement {
	python := "/usr/bin/python3"
	bash := func(n int) measurement {
		return program(strings.Replace(rowBash, "500", fmt.Sprint(n), 1),
			"/bin/bash", "-c", fmt.Sprintf("for ((i = 0; i < %d; i++)); do x=$(echo $i); done", n))
	}
	compile := []string{"/usr/bin/gcc", "-c", "-o", "lines.o", "lines.c"}
	warm := micro(rowGccWarm, "repeat", "process", 3*ms, "repeat", "/usr/bin/gcc", "-c", "-o", "lines.o", "lines.c")
	start, cold := program(rowPython, python, "-S", "-c", "pass"), program(rowGccCold, compile...).notOnQemu()
	list := []measurement{
		program(rowTrue, "/bin/true"), start, start.translatedAnew(),
		program(rowPythonLoop, python, "-S", "-c", fmt.Sprintf(pythonLoop, ms*1e6)).selfTimed("loop"),
	}
	if o.quick {
		return append(list, bash(100), cold)
	}
	return append(list, bash(500), cold, cold.translatedAnew(), warm.notOnQemu())
}

// fiveHundredLines is a C program for compilers to compile: headers, tables,
// and small functions that call each other.
func fiveHundredLines() string {
	var b strings.Builder
	b.WriteString("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n\n")
	b.WriteString("struct item { int key; double weight; char name[16]; struct item *next; };\n\n")
	for i := range 23 {
		prev := "key"
		if i > 0 {
			prev = fmt.Sprintf("step%d(head, key %% %d)", i-1, i+5)
		}
		fmt.Fprintf(&b, `static const unsigned char table%[1]d[] = {%[1]d, 3, 5, 7, 11, 13, 17, 19};

static int step%[1]d(struct item *head, int key)
{
	double sum = 0;
	char text[64];
	for (struct item *it = head; it != NULL; it = it->next) {
		if (it->key == key || (key & %[1]d) == 0)
			sum += it->weight * table%[1]d[key & 7];
		else
			sum -= it->key / %[2]d.0;
	}
	snprintf(text, sizeof text, "%%d:%%f", key, sum);
	switch (strlen(text) %% 4) {
	case 0: return key * 31 + (int)sum;
	case 1: return text[0] ^ key << %[3]d;
	}
	return %[4]s;
}

`, i, i+2, i%8, prev)
	}
	b.WriteString(`static int compare(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	if (x->key != y->key)
		return x->key < y->key ? -1 : 1;
	return strcmp(x->name, y->name);
}

int main(int argc, char **argv)
{
	struct item *head = NULL, pair[2] = {{.key = argc}, {.key = 3}};
	qsort(pair, 2, sizeof *pair, compare);
	if (pair[0].key > 3)
		puts(argv[0]);
	for (int i = 0; i < argc * 100; i++) {
		struct item *it = calloc(1, sizeof *it);
		if (it == NULL)
			return 1;
		it->key = i * 7 % 64;
		it->weight = i / 3.0;
		strncpy(it->name, argv[i % argc], sizeof it->name - 1);
		it->next = head;
		head = it;
	}
	printf("%d\n", step22(head, getpid()));
	for (struct item *it = head, *next; it != NULL; it = next) {
		next = it->next;
		free(it);
	}
	return 0;
}
`)
	return b.String()
}

// thousands writes a number with separators.
func thousands(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
