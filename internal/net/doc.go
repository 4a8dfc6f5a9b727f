// Package net is the sockets of one machine: AF_UNIX, AF_INET and AF_INET6
// over the loopback interface, and as much of AF_NETLINK as describes that
// interface. Nothing here reaches the host.
//
// # The parts
//
// A Stack is a network namespace: names, ports and the list of sockets. A
// Socket is an open socket: a vfs.FileOps for read, write, poll and close, and
// the calls that only sockets have. Addresses travel as the bytes of a
// struct sockaddr, for each family to judge as the manual pages tell: unix(7),
// ip(7), ipv6(7), tcp(7), udp(7), netlink(7).
//
// # Waiting
//
// No call blocks. One that would have to wait returns EAGAIN (or EINPROGRESS
// and EALREADY, for a connection being made), and the kernel waits on
// Caller.WaitOn or, if that is nil, on the socket's queue, then calls again.
//
// # Differences from Linux
//
// TCP is a pair of byte queues: segments, windows, retransmission and the
// TIME_WAIT state do not exist, and whatever one end does, the other end knows
// at once. Buffer limits are those of Linux, and packets are charged what
// Linux would charge, so that programs block where they do there.
//
// # Locking
//
// All of it is protected by the kernel lock.
package net
