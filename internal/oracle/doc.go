// Package oracle holds tests only: the same program runs natively on the host
// and on tine, and standard output, standard error, exit status and the files
// written must be the same. Native Linux is the oracle.
//
// Three tables: the guest programs of testdata/guest (TestGuests), command
// lines of real programs (TestCommands) and things that must fail
// (TestFailures).
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
