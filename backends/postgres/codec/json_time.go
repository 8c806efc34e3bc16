package codec

import (
	"encoding/binary"
	"math"
	"strconv"
	"time"
)

func jsonDate(dst, src []byte) ([]byte, error) {
	if len(src) != 4 {
		return dst, wrongSize(src, 4)
	}
	day := int32(binary.BigEndian.Uint32(src))
	switch day {
	case math.MaxInt32:
		return append(dst, `"infinity"`...), nil
	case math.MinInt32:
		return append(dst, `"-infinity"`...), nil
	}
	t := time.Unix((int64(day)+pgEpochDays)*86400, 0).UTC()
	dst, isBC := appendJSONDay(append(dst, '"'), t)
	return appendJSONEra(dst, isBC), nil
}

func jsonTime(dst, src []byte) ([]byte, error) {
	if len(src) != 8 {
		return dst, wrongSize(src, 8)
	}
	micros := int64(binary.BigEndian.Uint64(src))
	if micros < 0 || micros > microsPerDay { // 24:00:00 is a time
		return dst, reasonf("malformed time: %d microseconds since midnight", micros)
	}
	dst = appendJSONClock(append(dst, '"'), micros)
	return append(dst, '"'), nil
}

func jsonTimestamp(dst, src []byte) ([]byte, error) { return appendJSONTimestamp(dst, src, false) }

func jsonTimestamptz(dst, src []byte) ([]byte, error) { return appendJSONTimestamp(dst, src, true) }

func appendJSONTimestamp(dst, src []byte, utc bool) ([]byte, error) {
	if len(src) != 8 {
		return dst, wrongSize(src, 8)
	}
	micros := int64(binary.BigEndian.Uint64(src))
	switch micros {
	case math.MaxInt64:
		return append(dst, `"infinity"`...), nil
	case math.MinInt64:
		return append(dst, `"-infinity"`...), nil
	}
	day := floorDiv(micros, microsPerDay)
	t := time.Unix((day+pgEpochDays)*86400, 0).UTC()
	dst, isBC := appendJSONDay(append(dst, '"'), t)
	dst = appendJSONClock(append(dst, 'T'), micros-day*microsPerDay)
	if utc {
		dst = append(dst, 'Z')
	}
	return appendJSONEra(dst, isBC), nil
}

// appendJSONDay writes the date; the year before 1 is 1 BC.
func appendJSONDay(dst []byte, t time.Time) (_ []byte, isBC bool) {
	year, month, day := t.Date()
	if year <= 0 {
		year, isBC = 1-year, true
	}
	if year > 9999 {
		dst = strconv.AppendInt(dst, int64(year), 10)
	} else {
		dst = appendTwoDigits(appendTwoDigits(dst, int64(year)/100), int64(year)%100)
	}
	dst = appendTwoDigits(append(dst, '-'), int64(month))
	return appendTwoDigits(append(dst, '-'), int64(day)), isBC
}

// appendJSONEra ends a string that holds a date.
func appendJSONEra(dst []byte, isBC bool) []byte {
	if isBC {
		dst = append(dst, " BC"...)
	}
	return append(dst, '"')
}

// appendJSONClock writes microseconds since midnight.
func appendJSONClock(dst []byte, micros int64) []byte {
	sec := micros / 1_000_000
	dst = appendTwoDigits(dst, sec/3600)
	dst = appendTwoDigits(append(dst, ':'), sec/60%60)
	dst = appendTwoDigits(append(dst, ':'), sec%60)
	return appendFraction(dst, micros%1_000_000)
}

func appendTwoDigits(dst []byte, n int64) []byte {
	return append(dst, '0'+byte(n/10), '0'+byte(n%10))
}

// appendFraction writes the microseconds of a second without trailing zeros.
func appendFraction(dst []byte, micros int64) []byte {
	if micros == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(100_000); micros > 0; unit /= 10 {
		dst = append(dst, '0'+byte(micros/unit))
		micros %= unit
	}
	return dst
}

// jsonInterval writes an ISO 8601 duration. Months, days and the rest have
// signs of their own, and years and months share one.
func jsonInterval(dst, src []byte) ([]byte, error) {
	v, err := parseInterval(src)
	switch {
	case err != nil:
		return dst, err
	case v.infinite() && v.micros > 0:
		return append(dst, `"infinity"`...), nil
	case v.infinite():
		return append(dst, `"-infinity"`...), nil
	case v == interval{}:
		return append(dst, `"PT0S"`...), nil
	}
	micros, days, months := v.micros, int64(v.days), int64(v.months)
	dst = append(dst, `"P`...)
	dst = appendIntervalField(dst, months/12, 'Y')
	dst = appendIntervalField(dst, months%12, 'M')
	dst = appendIntervalField(dst, days, 'D')
	if micros != 0 {
		dst = append(dst, 'T')
		sec := micros / 1_000_000
		dst = appendIntervalField(dst, sec/3600, 'H')
		dst = appendIntervalField(dst, sec/60%60, 'M')
		if rest := micros % 60_000_000; rest != 0 {
			if rest < 0 {
				dst, rest = append(dst, '-'), -rest
			}
			dst = strconv.AppendInt(dst, rest/1_000_000, 10)
			dst = append(appendFraction(dst, rest%1_000_000), 'S')
		}
	}
	return append(dst, '"'), nil
}

func appendIntervalField(dst []byte, n int64, unit byte) []byte {
	if n == 0 {
		return dst
	}
	return append(strconv.AppendInt(dst, n, 10), unit)
}
