// Package mm is the memory of the machine: frames, page tables, address
// spaces, page caches, and the faults between them. Copy-on-write lives here.
//
// # Frames
//
// All guest memory is 4 KiB frames in one arena per host process, off the Go
// heap, shared by every machine in the process. A frame has a reference count:
// one for each page table leaf entry and each page cache slot that names it.
// The arena takes memory from the host in large steps: a page fault of the host
// costs more than one of the guest.
//
// # Page tables
//
// A page table is a radix tree of reference-counted nodes with 64 entries, of
// which a node stores those it has. Fork takes one reference on the root; no
// entry is touched. A node may be modified only if it and all its ancestors have
// one owner, so the first write on a path copies the nodes on that path (own),
// each copy taking a reference on every child. Whether a private page may be
// written in place is therefore a property of the path: all nodes owned, and the
// frame's count one.
//
// Nodes live in frames as well. The account of the address space pays for them,
// and a fault that finds no room for one ends like one that finds none for a
// page; giving memory back never fails for want of a node.
//
// # Who may touch what
//
// Everything here is called with the kernel lock of the machine held, with one
// exception: engines call AddressSpace.Lookup from guest mode. It takes mu,
// which also every change of a page table takes. A node with several owners is
// never changed, so holding the lock of one owner is enough to read it.
//
// Before a present translation is changed or loses rights, quiesce makes every
// other virtual processor leave the address space; adding a translation needs
// no such thing. Engines learn of changes through Gen and Flushed when they
// enter again.
package mm
