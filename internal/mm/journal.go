package mm

import "bytes"

// A Journal notes which frames are written in an address space and what they
// contained before, so that what an engine has done can be taken back, done once
// more by another engine, and compared. Page tables, reference counts and accounts
// stay as they are, and it does not matter who shares a frame: it only must not be
// written from elsewhere meanwhile.
//
// A frame is noted when an engine asks for the right to write it. An engine that
// has translations for writing already must give them up first.
type Journal struct {
	// Full, if not nil, is called when more than MaxPages frames have been
	// noted; those after them are noted as well.
	Full func()

	pages []*JournalPage
	index map[Frame]*JournalPage
	spare []*JournalPage
}

// MaxPages is the number of frames after which a Journal is full: 16 MiB, of
// which up to three copies are made.
const MaxPages = 4096

// JournalPage is a frame that may have been written.
type JournalPage struct {
	Frame Frame
	VA    uint64 // an address that it was written at
	// Before is what it contained at first. Other is what Swap found.
	Before, Other [PageSize]byte
}

// Record has j note what engines write in the address space; nil ends that.
func (as *AddressSpace) Record(j *Journal) {
	as.mu.Lock()
	defer as.mu.Unlock()
	as.journal = j
}

// Reset forgets all.
func (j *Journal) Reset() {
	for _, p := range j.pages {
		if len(j.spare) < MaxPages/16 {
			j.spare = append(j.spare, p)
		}
	}
	clear(j.index)
	j.pages = j.pages[:0]
}

// Pages are the frames noted since Reset, in order.
func (j *Journal) Pages() []*JournalPage { return j.pages }

// note notes that f is about to be written at va.
func (j *Journal) note(f Frame, va uint64) {
	if j.index[f] != nil {
		return
	}
	p := j.newPage()
	p.Frame, p.VA = f, va&^pageMask
	copy(p.Before[:], f.Bytes())
	p.Other = p.Before
	if j.index == nil {
		j.index = make(map[Frame]*JournalPage)
	}
	j.index[f] = p
	if j.pages = append(j.pages, p); len(j.pages) == MaxPages+1 && j.Full != nil {
		j.Full()
	}
}

func (j *Journal) newPage() *JournalPage {
	n := len(j.spare)
	if n == 0 {
		return new(JournalPage)
	}
	p := j.spare[n-1]
	j.spare = j.spare[:n-1]
	return p
}

// Swap remembers what the frames contain in Other and takes it back.
func (j *Journal) Swap() {
	for _, p := range j.pages {
		copy(p.Other[:], p.Frame.Bytes())
	}
	j.Undo()
}

// Undo makes the frames contain what they did before.
func (j *Journal) Undo() {
	for _, p := range j.pages {
		if b := p.Frame.Bytes(); !bytes.Equal(b, p.Before[:]) {
			p.Frame.willWrite()
			copy(b, p.Before[:])
		}
	}
}

// Different returns the pages that do not contain what Swap found.
func (j *Journal) Different() (pages []*JournalPage) {
	for _, p := range j.pages {
		if !bytes.Equal(p.Frame.Bytes(), p.Other[:]) {
			pages = append(pages, p)
		}
	}
	return pages
}
