// Package tty has terminals: the line discipline N_TTY, pseudo-terminals, and
// the devices /dev/tty, /dev/console, /dev/ptmx and those of devpts (tty(4),
// pty(7), termios(3)).
package tty
