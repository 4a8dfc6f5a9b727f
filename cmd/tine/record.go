package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"

	"github.com/tinevm/tine"
	"github.com/tinevm/tine/internal/picture"
)

// recording writes a machine's events to files, as --events, --timeline and
// --family ask for it.
type recording struct {
	sinks []func(e *tine.Event)
	ends  []func() error
}

// record opens the files; it gives nil if none is asked for.
func (f *runFlags) record() (*recording, error) {
	r := &recording{}
	for _, s := range []struct {
		file string
		open func(r *recording, f *os.File)
	}{
		{f.events, (*recording).lines}, {f.timeline, (*recording).timeline}, {f.family, (*recording).family},
	} {
		if s.file == "" {
			continue
		}
		file, err := os.Create(s.file)
		if err != nil {
			r.close()
			return nil, err
		}
		s.open(r, file)
	}
	if len(r.sinks) == 0 {
		return nil, nil
	}
	return r, nil
}

// event passes one on.
func (r *recording) event(e tine.Event) {
	for _, sink := range r.sinks {
		sink(&e)
	}
}

// close completes the files.
func (r *recording) close() error {
	var errs []error
	for _, end := range r.ends {
		errs = append(errs, end())
	}
	r.ends = nil
	return errors.Join(errs...)
}

// lines writes each event as a line of JSON.
func (r *recording) lines(file *os.File) {
	w := bufio.NewWriterSize(file, 64<<10)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	var failed error
	r.sinks = append(r.sinks, func(e *tine.Event) {
		if failed == nil {
			failed = enc.Encode(e)
		}
	})
	r.ends = append(r.ends, func() error { return errors.Join(failed, w.Flush(), file.Close()) })
}

// timeline writes what trace viewers show.
func (r *recording) timeline(file *os.File) {
	t := picture.NewTimeline(file)
	r.sinks = append(r.sinks, t.Event)
	r.ends = append(r.ends, func() error { return errors.Join(t.Close(), file.Close()) })
}

// family draws the tree of processes.
func (r *recording) family(file *os.File) {
	f := picture.NewFamily()
	r.sinks = append(r.sinks, f.Event)
	r.ends = append(r.ends, func() error { return errors.Join(f.Draw(file), file.Close()) })
}
