package main

import (
	"os"
	"testing"
)

// TestPage: docs/syscalls.md says what the table says.
func TestPage(t *testing.T) {
	b, err := os.ReadFile("../../../docs/syscalls.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(b) != page() {
		t.Error("docs/syscalls.md is stale: run go generate ./internal/kernel")
	}
}
