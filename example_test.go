//go:build linux && amd64

package tine_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"testing/fstest"

	"github.com/tinevm/tine"
)

func ExampleMachine_Command() {
	m, err := tine.New(tine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	cmd := m.Command(context.Background(), "bash", "-c", "read x; echo $((x * 7)) | tee /etc/answer; cat /etc/answer")
	cmd.Stdin = strings.NewReader("6\n")
	out, err := cmd.Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// 42
	// 42
	// <nil>
}

func ExampleExitError() {
	m, err := tine.New(tine.Config{})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	err = m.Command(context.Background(), "sh", "-c", "kill -TERM $$").Run()
	var ee *tine.ExitError
	if errors.As(err, &ee) {
		fmt.Println(ee.Status.Signaled(), int(ee.Status.Signal()), ee.Status.Code())
	}
	// Output: true 15 143
}

func ExampleFS() {
	files := fstest.MapFS{"greeting.txt": {Data: []byte("hello from Go\n")}}
	m, err := tine.New(tine.Config{Mounts: []tine.Mount{tine.FS(files, "/data")}})
	if err != nil {
		log.Fatal(err)
	}
	defer m.Close()
	out, err := m.Command(context.Background(), "cat", "/data/greeting.txt").Output()
	fmt.Printf("%s%v\n", out, err)
	// Output:
	// hello from Go
	// <nil>
}
