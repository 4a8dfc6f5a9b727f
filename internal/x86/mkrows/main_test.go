package main

import (
	"bytes"
	"os"
	"testing"
)

func TestRowsAreCurrent(t *testing.T) {
	have, err := os.ReadFile("../zrows.go")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(have, generate()) {
		t.Error("zrows.go is stale: run go generate ./internal/x86")
	}
}
