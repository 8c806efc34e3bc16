package postgres

import (
	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
)

// sinkKind is where a result goes.
type sinkKind uint8

const (
	discardRows sinkKind = iota
	intoSlice
	intoOne
	intoJSON
	intoOneJSON
	streamRows // decoded by their reader
)

// sink takes the rows of one result. It is a plain struct, not an interface, so
// that it can live on its caller's stack.
type sink struct {
	kind  sinkKind
	lax   bool
	slice codec.Slice
	one   codec.Pointer
	json  *[]byte
	buf   []byte // JSON under construction, given to the caller at the end

	dec  *codec.RowDecoder
	enc  *codec.JSONEncoder
	rows int
	err  error // the first row that did not fit
}

func sliceSink(out any) (k sink, err error) {
	k.kind = intoSlice
	k.slice, err = codec.SliceTarget(out)
	return k, err
}

func oneSink(out any) (k sink, err error) {
	k.kind = intoOne
	k.one, err = codec.PointerTarget(out)
	return k, err
}

// reset empties the destination: at each call, and at each attempt of a call. d
// may be nil.
func (k *sink) reset(d *description) {
	k.rows, k.err = 0, nil
	switch k.kind {
	case intoSlice:
		expected := 0
		if d != nil {
			expected = int(d.expected.Load())
		}
		k.slice.ResetFor(expected)
	case intoOne:
		k.one.Reset()
	case intoJSON, intoOneJSON:
		*k.json = nil
		k.buf = k.buf[:0]
		if k.kind == intoJSON {
			k.buf = append(k.buf, '[')
		}
	}
}

// prepare compiles what decodes rows of d.
func (k *sink) prepare(types *codec.Types, d *description) (err error) {
	if !d.rows {
		return nil
	}
	switch k.kind {
	case intoSlice:
		k.dec, err = d.decoder(types, k.slice.Elem(), k.lax)
	case intoOne:
		k.dec, err = d.decoder(types, k.one.Elem(), k.lax)
	case intoJSON, intoOneJSON:
		k.enc, err = d.encoder(types)
	}
	return err
}

// row takes one DataRow. After a row that did not fit, and where one row was
// asked for, the others are only counted.
func (k *sink) row(body []byte) {
	k.rows++
	if k.err != nil {
		return
	}
	switch k.kind {
	case intoSlice:
		k.err = k.slice.Append(k.dec, body, k.rows)
	case intoOne:
		if k.rows == 1 {
			k.err = k.one.Decode(k.dec, body, 1)
		}
	case intoJSON:
		if k.rows > 1 {
			k.buf = append(k.buf, ',')
		}
		k.buf, k.err = k.enc.AppendRow(k.buf, body, k.rows)
	case intoOneJSON:
		if k.rows == 1 {
			k.buf, k.err = k.enc.AppendRow(k.buf, body, 1)
		}
	}
}

// finish checks what came and hands it over.
func (k *sink) finish(cmd string, d *description) error {
	if k.kind == intoSlice && d != nil && int(d.expected.Load()) != k.rows {
		d.expected.Store(int64(k.rows))
	}
	switch k.kind {
	case intoOne, intoOneJSON:
		if k.rows == 0 {
			return simpleError(duet.KindNoData, duet.PhaseRun, cmd, "the command gave no row where exactly one was asked for")
		}
		if k.rows > 1 {
			k.clear()
			return simpleError(duet.KindCardinality, duet.PhaseRun, cmd, "the command gave more than the one row that was asked for")
		}
	}
	if k.err != nil {
		return resultError(cmd, duet.PhaseRun, k.err)
	}
	switch k.kind {
	case intoJSON:
		*k.json = append(k.buf, ']')
	case intoOneJSON:
		*k.json = k.buf
	}
	return nil
}

func (k *sink) clear() {
	if k.kind == intoOne {
		k.one.Reset()
	}
}
