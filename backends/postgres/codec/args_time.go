package codec

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
)

// The server counts dates in days and timestamps in microseconds from
// 2000-01-01 (PostgreSQL documentation, "Date/Time Types", gives the ranges).
const (
	pgEpochUnix = 946684800 // seconds from 1970 to 2000
	pgEpochDays = pgEpochUnix / 86400

	// From 4714-11-24 BC, the Julian day 0, to before 294277-01-01.
	timestampMinSec = -211813488000
	timestampEndSec = 9223371331200

	// From 4714-11-24 BC to before 5874898-06-04.
	dateMinDay = -2451545
	dateEndDay = 2145031949

	microsPerDay = 24 * 60 * 60 * 1_000_000
)

// appendArgTime encodes a time.Time, cutting what is below a microsecond.
func appendArgTime(dst []byte, oid uint32, v time.Time) ([]byte, argForm, error) {
	switch oid {
	case pgtype.TimestamptzOID:
		return appendTimestamp(dst, v, 0, "timestamptz")
	case pgtype.TimestampOID:
		_, offset := v.Zone()
		return appendTimestamp(dst, v, int64(offset), "timestamp")
	case pgtype.DateOID:
		_, offset := v.Zone()
		day := floorDiv(v.Unix()+int64(offset), 86400) - pgEpochDays
		if day < dateMinDay || day >= dateEndDay {
			return dst, argNull, errors.New("the year does not fit date")
		}
		return binary.BigEndian.AppendUint32(dst, uint32(int32(day))), argBinary, nil
	case pgtype.TimeOID:
		hour, minute, second := v.Clock()
		micros := (int64(hour)*3600+int64(minute)*60+int64(second))*1_000_000 + int64(v.Nanosecond()/1000)
		return binary.BigEndian.AppendUint64(dst, uint64(micros)), argBinary, nil
	case pgtype.TimetzOID:
		return v.AppendFormat(dst, "15:04:05.999999Z07:00:00"), argText, nil
	default:
		return dst, argNull, errArgUnfit
	}
}

func appendTimestamp(dst []byte, v time.Time, offset int64, name string) ([]byte, argForm, error) {
	sec := v.Unix() + offset - pgEpochUnix
	if sec < timestampMinSec || sec >= timestampEndSec {
		return dst, argNull, fmt.Errorf("the year does not fit %s", name)
	}
	micros := sec*1_000_000 + int64(v.Nanosecond()/1000)
	return binary.BigEndian.AppendUint64(dst, uint64(micros)), argBinary, nil
}

// appendArgDuration encodes a time.Duration as an interval without days and
// months, or as the time since midnight.
func appendArgDuration(dst []byte, oid uint32, v time.Duration) ([]byte, argForm, error) {
	switch oid {
	case pgtype.IntervalOID:
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Microseconds()))
		return append(dst, 0, 0, 0, 0, 0, 0, 0, 0), argBinary, nil
	case pgtype.TimeOID:
		micros := v.Microseconds()
		if micros < 0 || micros > microsPerDay {
			return dst, argNull, errors.New("the duration does not fit time, which goes from 0 to 24 hours")
		}
		return binary.BigEndian.AppendUint64(dst, uint64(micros)), argBinary, nil
	default:
		return dst, argNull, errArgUnfit
	}
}

// floorDiv divides, rounding down; d is positive.
func floorDiv(n, d int64) int64 {
	q := n / d
	if n%d < 0 {
		q--
	}
	return q
}
