//go:build linux && amd64

package oracle

import (
	"fmt"
	"strings"
	"time"
)

// cProject is a program of twelve source files with a Makefile.
func cProject() map[string]string {
	files := map[string]string{}
	var decls, calls, objs strings.Builder
	for i := range 12 {
		files[fmt.Sprintf("f%d.c", i)] = fmt.Sprintf("#include \"p.h\"\nint f%d(int x) { int s = %d; for (int i = 0; i < x; i++) s = s * 31 + i; return s; }\n", i, i)
		fmt.Fprintf(&decls, "int f%d(int);\n", i)
		fmt.Fprintf(&calls, "\tprintf(\"%%d\\n\", f%d(%d));\n", i, i*10)
		fmt.Fprintf(&objs, " f%d.o", i)
	}
	files["p.h"] = "#include <stdio.h>\n" + decls.String()
	files["main.c"] = "#include \"p.h\"\nint main(void) {\n" + calls.String() + "\treturn 0;\n}\n"
	files["Makefile"] = "CFLAGS = -O1 -Wall\nprog: main.o" + objs.String() + "\n\t$(CC) -o $@ $^\n%.o: %.c p.h\n\t@$(CC) $(CFLAGS) -c -o $@ $<\nclean:\n\trm -f *.o prog\n"
	return files
}

// buildCommands compile and run.
var buildCommands = []command{
	{name: "gcc/hello", short: true, needs: []string{"gcc"}, limit: 4 * time.Minute,
		files:  map[string]string{"h.c": "#include <stdio.h>\nint main(void) { printf(\"hello %d\\n\", 6 * 7); return 3; }\n"},
		script: `gcc -O1 -o h h.c; echo $?; ./h; echo $?; gcc -S -o - h.c | grep -c main`},
	{name: "gcc/errors", needs: []string{"gcc"}, limit: 4 * time.Minute,
		files:  map[string]string{"bad.c": "int main(void) { return undeclared }\n", "link.c": "int none(void); int main(void) { return none(); }\n"},
		script: `gcc -c bad.c; echo $?; gcc -o link link.c 2>&1 | grep -c undefined; ls`},
	{name: "gcc/library", needs: []string{"gcc", "ar"}, limit: 4 * time.Minute,
		files: map[string]string{"a.c": "int a(void) { return 40; }\n", "b.c": "int a(void); int main(void) { return a() + 2; }\n"},
		script: `gcc -fPIC -shared -o liba.so a.c && gcc -o dyn b.c -L. -la -Wl,-rpath,$PWD && ./dyn; echo $?
			gcc -c a.c && ar rcD liba.a a.o && gcc -static -o sta b.c liba.a && ./sta; echo $?; nm -D liba.so | grep -w a | cut -d' ' -f2-; strip sta && ./sta; echo $?`},
	{name: "make -j4", needs: []string{"gcc", "make"}, limit: 8 * time.Minute, files: cProject(),
		script: `make -j4 -s && ./prog; touch f3.c; make -s -q; echo $?; make -s -j4; make -s clean; ls | wc -l; make none; echo $?`},
	{name: "go/exit", needs: []string{"go"}, setup: buildGo, args: []string{"./prog", "a b"}, ignore: []string{"prog"},
		files: map[string]string{"main.go": "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc main() { fmt.Println(len(os.Args), os.Args[1], os.Getpid() > 0); os.Exit(9) }\n"}},
}
