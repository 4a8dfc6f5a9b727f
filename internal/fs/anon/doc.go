// Package anon has files that have no name: event counters and epoll
// instances.
package anon
