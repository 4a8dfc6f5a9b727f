package main

import (
	"fmt"
	"slices"
	"time"
)

// A row is one measurement on all targets.
type row struct {
	Name string `json:"name"`
	// Tine is the version that was measured, When the day.
	Tine   string            `json:"tine"`
	When   string            `json:"when"`
	NS     map[string]value  `json:"ns"`               // by target
	Errors map[string]string `json:"errors,omitempty"` // by target
	// MIPS is how many million guest instructions tine runs in a second.
	MIPS float64 `json:"mips,omitempty"`
}

// A value is the median of some samples.
type value struct {
	Median float64   `json:"median"`
	All    []float64 `json:"all"`
}

// noisy says that the samples are too far apart for the median to mean much:
// round trips between two threads differ tenfold with the cores they land on.
func (v value) noisy() bool { return slices.Max(v.All) > 1.5*slices.Min(v.All) }

// spread is half the distance of the extremes, as a part of the median.
func (v value) spread() float64 {
	return (slices.Max(v.All) - slices.Min(v.All)) / 2 / v.Median
}

// session is one run of bench.
type session struct {
	*options
	dir     string
	targets []*target
	start   time.Time
}

// say tells of progress, with the time since the start.
func (s *session) say(format string, args ...any) {
	progress("%7s  %s", time.Since(s.start).Round(100*time.Millisecond), fmt.Sprintf(format, args...))
}

// clockCheck is what part of the host's time the clock inside a target saw
// pass during a long computation. The micro programs are timed by that clock:
// if it ran slow or by a count of its own, their values would mean nothing.
func (s *session) clockCheck() map[string]float64 {
	seen := map[string]float64{}
	m := micro("", "elapsed", "cpu", 1500, "hash")
	for _, t := range s.targets {
		s.say("clock inside against the host's: %s", t.Name)
		if one, err := s.once(m, t); err == nil {
			seen[t.Name] = one.values["elapsed"] / one.wall
		}
	}
	return seen
}

// moreTurns is how many times as often native Linux and tine have their turn, without the
// others, if that takes no longer than briefly: the host's speed changes within seconds.
const (
	moreTurns = 4
	briefly   = 500 * time.Millisecond
)

// measure runs the targets in turn, round by round: a change in the host's
// load meets all of them. position says how far the whole run is.
func (s *session) measure(m measurement, position string) []*row {
	c := collection{m: m, samples: map[string][]sample{}, errors: map[string]string{}}
	rounds, targets, two := s.rounds, s.targets, s.targets[:2]
	for round := 0; round <= rounds; round++ {
		what := fmt.Sprintf("%d of %d", round, rounds)
		if round == 0 {
			if !m.warm {
				continue
			}
			what = "warm-up (not counted)"
		}
		for _, t := range targets {
			if c.errors[t.Name] != "" || m.on != nil && !m.on(t) {
				continue
			}
			s.say("%s  %s: %s, %s", position, m.name(), t.Name, what)
			one, err := s.once(m, t)
			if err == nil {
				err = c.add(t.Name, one, round > 0)
			}
			if err != nil {
				c.errors[t.Name] = err.Error()
				s.say("%s  %s: %s: %v", position, m.name(), t.Name, err)
			}
		}
		if round == s.rounds && c.brief(two) {
			rounds, targets = moreTurns*s.rounds, two
		}
	}
	return c.rows(s)
}

// brief reports whether no run of these targets took long.
func (c *collection) brief(targets []*target) bool {
	for _, t := range targets {
		for _, one := range c.samples[t.Name] {
			if one.wall > float64(briefly) {
				return false
			}
		}
	}
	return true
}

// collection is what a measurement gave so far.
type collection struct {
	m        measurement
	samples  map[string][]sample // by target
	errors   map[string]string   // by target
	checksum string
}

// add takes one run in, unless it computed something else than the first.
func (c *collection) add(target string, one sample, counts bool) error {
	if c.checksum == "" {
		c.checksum = one.checksum
	}
	if one.checksum != c.checksum {
		return fmt.Errorf("wrong result: %s, native %s", one.checksum, c.checksum)
	}
	if counts {
		c.samples[target] = append(c.samples[target], one)
	}
	return nil
}

// rows are the medians.
func (c *collection) rows(s *session) []*row {
	var list []*row
	for _, v := range c.m.values {
		r := &row{Name: v.name, Tine: s.targets[1].Version, When: s.start.Format(time.DateOnly), NS: map[string]value{}, Errors: c.errors}
		for target, samples := range c.samples {
			if c.errors[target] != "" {
				continue
			}
			var all, mips []float64
			for _, one := range samples {
				ns := one.wall
				if v.key != "" {
					ns = one.values[v.key]
				}
				all = append(all, ns)
				mips = append(mips, one.instructions/one.wall*1e3)
			}
			r.NS[target] = value{median(all), all}
			if c.m.cpu && target == "tine" {
				r.MIPS = median(mips)
			}
		}
		list = append(list, r)
	}
	return list
}

// once runs a measurement once on one target.
func (s *session) once(m measurement, t *target) (sample, error) {
	if m.check != nil {
		if err := m.check(t); err != nil {
			return sample{}, fmt.Errorf("left out: %w", err)
		}
	}
	args, err := m.args(t, s.dir)
	if err != nil {
		return sample{}, err
	}
	var env []string
	if m.anew {
		env = append(env, cacheVariable+"=off")
	}
	one, err := t.run(s.dir, args, s.limit, env...)
	for _, v := range m.values {
		if _, ok := one.values[v.key]; !ok && err == nil && v.key != "" {
			err = fmt.Errorf("the program did not print %q", v.key)
		}
	}
	// A moment for what the run left behind, such as pages being freed.
	time.Sleep(10 * time.Millisecond)
	return one, err
}

func median(v []float64) float64 {
	if len(v) == 0 {
		return 0
	}
	s := slices.Sorted(slices.Values(v))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}
