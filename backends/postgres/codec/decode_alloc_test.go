package codec_test

import (
	"testing"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/codec"
	"github.com/jackc/pgx/v5/pgtype"
)

// fixedSizes holds nothing that needs memory of its own.
type fixedSizes struct {
	A int64
	B *int32
	C float64
	D bool
	E time.Time
	F [16]byte
	G duet.Optional[time.Time]
	H string
}

func fixedSizesResult() ([]codec.Column, []byte) {
	cols := []codec.Column{
		{Name: "a", OID: pgtype.Int8OID}, {Name: "b", OID: pgtype.Int4OID}, {Name: "c", OID: pgtype.Float8OID},
		{Name: "d", OID: pgtype.BoolOID}, {Name: "e", OID: pgtype.TimestamptzOID}, {Name: "f", OID: pgtype.UUIDOID},
		{Name: "g", OID: pgtype.TimestampOID}, {Name: "h", OID: pgtype.QCharOID},
	}
	return cols, dataRow(be8(1), nil, be8(0), []byte{1}, be8(5), uuidBytes, be8(7), []byte("x"))
}

// TestFixedSizesDoNotAllocate counts what a row costs beyond what it stores.
func TestFixedSizesDoNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	cols, row := fixedSizesResult()
	d := compileFor[fixedSizes](t, cols)
	out := new(fixedSizes)
	allocates(t, "Decode", 0, func() error {
		target, err := codec.PointerTarget(out)
		if err != nil {
			return err
		}
		return target.Decode(d, row, 1)
	})
	scanner := codec.NewTypes().Scanner(cols[:2])
	short := dataRow(be8(1), be4(2))
	a, b := new(int64), new(int32)
	allocates(t, "Scan", 0, func() error { return scanner.Scan(short, 1, a, b) })
	cols5, row5 := fiveColumnsResult()
	d5 := compileFor[fiveColumns](t, cols5)
	out5 := new(fiveColumns)
	allocates(t, "one string", 1, func() error {
		target, err := codec.PointerTarget(out5)
		if err != nil {
			return err
		}
		return target.Decode(d5, row5, 1)
	})
	array := dataRow(oracle(t, pgtype.Int8ArrayOID, make([]int64, 100)))
	list := compileFor[[]int64](t, column(pgtype.Int8ArrayOID))
	outList := new([]int64)
	allocates(t, "an array's elements", 1, func() error {
		target, err := codec.PointerTarget(outList)
		if err != nil {
			return err
		}
		return target.Decode(list, array, 1)
	})
}

func allocates(t *testing.T, what string, want float64, f func() error) {
	t.Helper()
	got := testing.AllocsPerRun(100, func() {
		if err := f(); err != nil {
			t.Fatal(err)
		}
	})
	if got != want {
		t.Errorf("%s: %v allocations, want %v", what, got, want)
	}
}

// TestFirstRowsTakeLittle holds that a short result does not pay for a long one.
func TestFirstRowsTakeLittle(t *testing.T) {
	d := compileFor[int64](t, column(pgtype.Int8OID))
	var out []int64
	s, err := codec.SliceTarget(&out)
	if err != nil {
		t.Fatal(err)
	}
	s.Reset()
	grown, last := 0, 0
	for n := range 100_000 {
		if err := s.Append(d, dataRow(be8(int64(n))), n+1); err != nil {
			t.Fatal(err)
		}
		if n == 0 && cap(out) > 4 {
			t.Errorf("room for %d rows after the first", cap(out))
		}
		if cap(out) != last {
			grown, last = grown+1, cap(out)
		}
	}
	if grown > 40 {
		t.Errorf("the slice grew %d times for 100000 rows", grown)
	}
	for i, v := range out {
		if v != int64(i) {
			t.Fatalf("row %d is %d", i, v)
		}
	}
}
