package codec

import (
	"encoding/binary"
	"math"
	"reflect"
	"time"
)

const (
	secondsPerDay = 24 * 60 * 60
	// minusInfinity and infinity are those of timestamps, the days those of
	// dates (PostgreSQL source, datatype/timestamp.h and utils/date.h).
	minusInfinity, infinity         int64 = math.MinInt64, math.MaxInt64
	minusInfinityDays, infinityDays int32 = math.MinInt32, math.MaxInt32
)

// compileTime decodes dates and times into time.Time and time.Duration.
func compileTime(c class, dst reflect.Type) func(ptr, []byte) error {
	var read func([]byte) (time.Time, error)
	switch {
	case dst == durationType && c == classTime:
		return func(p ptr, src []byte) error {
			d, err := readTimeOfDay(src)
			store(p, d)
			return err
		}
	case dst == durationType && c == classInterval:
		return func(p ptr, src []byte) error {
			d, err := readInterval(src)
			store(p, d)
			return err
		}
	case !isTime(dst):
		return nil
	case c == classTimestamp || c == classTimestamptz:
		return decodeTimestamp
	case c == classDate:
		read = readDate
	case c == classTime:
		read = func(src []byte) (time.Time, error) {
			d, err := readTimeOfDay(src)
			return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Add(d), err
		}
	default:
		return nil
	}
	return func(p ptr, src []byte) error {
		t, err := read(src)
		store(p, t)
		return err
	}
}

func decodeTimestamp(p ptr, src []byte) error {
	t, err := readTimestamp(src)
	store(p, t)
	return err
}

// errInfinity says that no time.Time is infinite.
func errInfinity(name string) error {
	return reasonf("%s into time.Time: take a string or a pgtype type where infinity can come", name)
}

// readTimestamp reads a timestamp or a timestamptz: microseconds since 2000-01-01. The
// result is in UTC, so that it is the same on every machine.
func readTimestamp(src []byte) (time.Time, error) {
	if len(src) != 8 {
		return time.Time{}, wrongSize(src, 8)
	}
	micros := int64(binary.BigEndian.Uint64(src))
	switch micros {
	case infinity:
		return time.Time{}, errInfinity("infinity")
	case minusInfinity:
		return time.Time{}, errInfinity("-infinity")
	}
	seconds, rest := micros/1_000_000, micros%1_000_000
	if rest < 0 {
		seconds, rest = seconds-1, rest+1_000_000
	}
	return time.Unix(seconds+pgEpochUnix, rest*1000).UTC(), nil
}

// readDate reads days since 2000-01-01: midnight in UTC.
func readDate(src []byte) (time.Time, error) {
	if len(src) != 4 {
		return time.Time{}, wrongSize(src, 4)
	}
	days := int32(binary.BigEndian.Uint32(src))
	switch days {
	case infinityDays:
		return time.Time{}, errInfinity("infinity")
	case minusInfinityDays:
		return time.Time{}, errInfinity("-infinity")
	}
	return time.Unix(int64(days)*secondsPerDay+pgEpochUnix, 0).UTC(), nil
}

// readTimeOfDay reads microseconds since midnight; 24:00:00 is possible.
func readTimeOfDay(src []byte) (time.Duration, error) {
	if len(src) != 8 {
		return 0, wrongSize(src, 8)
	}
	micros := int64(binary.BigEndian.Uint64(src))
	if micros < 0 || micros > microsPerDay {
		return 0, reasonf("malformed time: %d microseconds since midnight", micros)
	}
	return time.Duration(micros) * time.Microsecond, nil
}

// interval is how PostgreSQL keeps one: three counts that do not convert into
// each other without a calendar.
type interval struct {
	micros       int64
	days, months int32
}

func parseInterval(src []byte) (interval, error) {
	if len(src) != 16 {
		return interval{}, wrongSize(src, 16)
	}
	return interval{
		micros: int64(binary.BigEndian.Uint64(src)),
		days:   int32(binary.BigEndian.Uint32(src[8:])),
		months: int32(binary.BigEndian.Uint32(src[12:])),
	}, nil
}

// infinite says whether the interval is infinite, which PostgreSQL knows since
// version 17: all three counts at their limit.
func (i interval) infinite() bool {
	return i == interval{infinity, infinityDays, infinityDays} || i == interval{minusInfinity, minusInfinityDays, minusInfinityDays}
}

// readInterval reads an interval without months; a day is 24 hours.
func readInterval(src []byte) (time.Duration, error) {
	i, err := parseInterval(src)
	switch {
	case err != nil:
		return 0, err
	case i.infinite():
		return 0, reasonf("an infinite interval into time.Duration: take a string or a pgtype.Interval")
	case i.months != 0:
		return 0, reasonf("an interval of %d months into time.Duration: months have no fixed length; take a string or a pgtype.Interval", i.months)
	}
	// Days alone can be more than a Duration holds, so they are bounded before
	// they are multiplied.
	const mostDays = math.MaxInt64 / (microsPerDay * 1000)
	if int64(i.days) > mostDays || int64(i.days) < -mostDays || i.micros > math.MaxInt64/1000 || i.micros < math.MinInt64/1000 {
		return 0, tooLong()
	}
	days, rest := int64(i.days)*microsPerDay*1000, i.micros*1000
	sum := days + rest
	if (days > 0) == (rest > 0) && (sum > 0) != (days > 0) && days != 0 && rest != 0 {
		return 0, tooLong()
	}
	return time.Duration(sum), nil
}

func tooLong() error {
	return reasonf("the interval does not fit time.Duration (292 years): take a string or a pgtype.Interval")
}
