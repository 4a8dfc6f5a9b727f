// Command mksyscalls writes docs/syscalls.md: the system call table as a reader
// of the documentation wants it.
package main

import (
	"fmt"
	"log"
	"os"
	"strings"

	"github.com/tinevm/tine/internal/kernel"
	"github.com/tinevm/tine/internal/linux"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: mksyscalls FILE")
	}
	if err := os.WriteFile(os.Args[1], []byte(page()), 0o644); err != nil {
		log.Fatal(err)
	}
}

const head = `# System calls

Generated from the table in ` + "`internal/kernel/table.go`" + ` by ` + "`go generate ./internal/kernel`" + `; do not edit.

The numbers are those of x86-64 Linux. **full** means what the manual page describes, as far as tine has what the call
is about; **partial** says what is missing or different; **absent** calls return the errno and are named once in the machine's log.
A number that is not in the table returns ENOSYS.

`

// page makes the page.
func page() string {
	var rows strings.Builder
	full, part, none := 0, 0, 0
	for nr := range kernel.NumSyscalls {
		row, ok := kernel.SyscallRow(nr)
		if !ok {
			continue
		}
		level := ""
		switch {
		case row.Errno != 0:
			none++
			level = "absent | " + row.Errno.String()
		case row.Lacks != "":
			part++
			level = "partial | " + row.Lacks
		default:
			full++
			level = "full |"
		}
		fmt.Fprintf(&rows, "| %d | `%s` | %s |\n", nr, linux.SyscallName(nr), level)
	}
	return head + fmt.Sprintf("%d are full, %d partial, %d absent.\n\n| number | name | support | |\n|---|---|---|---|\n", full, part, none) + rows.String()
}
