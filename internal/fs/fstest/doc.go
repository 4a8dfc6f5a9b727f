// Package fstest checks file systems against the host's: it performs the same
// random operations on both and compares results and trees.
package fstest
