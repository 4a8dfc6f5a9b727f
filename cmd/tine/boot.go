package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// inits are where Linux looks for the first program (init/main.c).
var inits = []string{"/sbin/init", "/etc/init", "/bin/init", "/bin/sh"}

func newBootCommand() *cobra.Command {
	f := runFlags{console: true}
	cmd := &cobra.Command{
		Use:   "boot [flags] [--] [INIT [ARG...]]",
		Short: "Start an init as process 1, with a console",
		Long: `Start a machine as Linux starts: one program, INIT, is process 1, with
/dev/console as its standard streams. It starts the boot scripts, the logins and
the daemons; its end, or reboot(2), ends the machine. Without INIT it is the
first there is of /sbin/init, /etc/init, /bin/init and /bin/sh.

The keys and the screen of the console are those of tine's terminal. SIGTERM is
for process 1, which has ten seconds to shut down before it is killed; a second
one kills it at once. "tine kill -s SIGNAL NAME 1" sends other signals.`,
		Example: `  tine boot --root ./rootfs
  tine boot -v $PWD/inittab:/etc/inittab -- busybox init
  tine boot -- tini -- bash`,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				init, err := f.findInit()
				if err != nil {
					return err
				}
				args = []string{init}
			}
			f.env = append([]string{"HOME=/", "TERM=" + consoleTerm(), "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}, f.env...)
			if f.workdir == "" {
				f.workdir = "/"
			}
			f.interactive = true
			return f.run(args)
		},
	}
	fl := cmd.Flags()
	fl.SetInterspersed(false)
	f.addEnvFlags(cmd, "e")
	f.addMachineFlags(cmd, true)
	for _, name := range []string{"tty", "interactive", "rm"} {
		fl.MarkHidden(name) // there is a console
	}
	return cmd
}

// findInit looks for the first program in the root that the machine will show.
func (f *runFlags) findInit() (string, error) {
	for _, init := range inits {
		if _, err := os.Stat(filepath.Join("/", f.root, init)); err == nil {
			return init, nil
		}
	}
	return "", errors.New("there is no /sbin/init, /etc/init, /bin/init or /bin/sh: which program is to be process 1?")
}

// consoleTerm is the kind of terminal that the console is.
func consoleTerm() string {
	if t := os.Getenv("TERM"); t != "" && term.IsTerminal(int(os.Stdin.Fd())) {
		return t
	}
	return "linux"
}
