//go:build linux && amd64

package tine_test

import (
	"context"
	"testing"

	"github.com/tinevm/tine"
)

// TestWithoutNull starts a command without streams after another has removed
// /dev/null.
func TestWithoutNull(t *testing.T) {
	m, err := tine.New(tine.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, script := range []string{"rm /dev/null", "read x; test $? = 1"} {
		if err := m.Command(context.Background(), "sh", "-c", script).Run(); err != nil {
			t.Errorf("%s: %v", script, err)
		}
	}
}
