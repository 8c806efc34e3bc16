package main

import "math"

// Digest stands for a result: drivers that read the same rows give equal
// digests, in whatever order the rows came.
type Digest struct {
	Rows int64
	// Sum is over the values; 0 where Counted.
	Sum uint64
	// Counted says that the driver decodes nothing and only counted the rows.
	Counted bool
}

// agrees says whether d and e can be of the same result.
func (d Digest) agrees(e Digest) bool {
	return d.Rows == e.Rows && (d.Counted || e.Counted || d.Sum == e.Sum)
}

func (d *Digest) add(r rowHash) {
	d.Rows++
	d.Sum += uint64(r)
}

// rowHash is FNV-1a over a row's values, each of them closed by a mixing step so
// that the borders between values count.
type rowHash uint64

const newRow rowHash = 14695981039346656037

func (h rowHash) uint(v uint64) rowHash {
	for range 8 {
		h = (h ^ rowHash(v&0xff)) * 1099511628211
		v >>= 8
	}
	return h
}

func (h rowHash) int(v int64) rowHash { return h.uint(uint64(v)) }

func (h rowHash) bool(v bool) rowHash {
	if v {
		return h.uint(1)
	}
	return h.uint(0)
}

func (h rowHash) string(s string) rowHash {
	for i := range len(s) {
		h = (h ^ rowHash(s[i])) * 1099511628211
	}
	return h.uint(uint64(len(s)))
}

func digestInts(ints ...int32) Digest {
	var d Digest
	for _, v := range ints {
		d.add(newRow.int(int64(v)))
	}
	return d
}

func digestAccount(a Account) Digest {
	var d Digest
	d.add(newRow.int(a.ID).string(a.Name).int(a.Balance))
	return d
}

func digestTypes(types []PgType) Digest {
	var d Digest
	for _, t := range types {
		h := newRow.string(t.Name).uint(uint64(t.Namespace)).uint(uint64(t.Owner)).int(int64(t.Len))
		h = h.bool(t.ByVal).string(t.Category).bool(t.IsPreferred).bool(t.IsDefined).string(t.Delim)
		d.add(h.uint(uint64(t.RelID)).uint(uint64(t.Elem)).uint(uint64(t.Array)))
	}
	return d
}

func (d *Digest) addEvent(e *Event) {
	h := newRow.int(e.ID).string(e.Label).uint(math.Float64bits(e.Value))
	d.add(h.int(e.Happened.UnixMicro()).bool(e.Flag))
}
