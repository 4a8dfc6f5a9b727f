// Package oracle holds tests only: the same program runs natively on the host
// and on tine, and standard output, standard error, exit status and the files
// written must be the same. Native Linux is the oracle.
//
// The tables: the guest programs of testdata/guest (TestGuests), the wrong
// system calls of testdata/errno (TestErrnos), command lines of real programs
// (TestCommands), things that must fail (TestFailures) and what only tine can
// show (machine_test.go). Package model says which of them shows which
// statement of the process model; make model writes docs/process-model.md.
//
//	TINE_ORACLE=short   static guests and the quick command lines (the default)
//	TINE_ORACLE=full    all variants and all command lines
//	TINE_ORACLE=native  the native half alone: is the oracle itself sound?
//	TINE_BIN=PATH       a tine binary to test instead of building ./cmd/tine
//	TINE_FLAGS="..."    more flags for tine run
//
// With go test -short they are all skipped. The full size takes longer than
// the ten minutes that go test allows by itself: use -timeout 60m.
package oracle
