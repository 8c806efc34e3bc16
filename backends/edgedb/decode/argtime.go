package decode

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/edgedb/edgedb-go"
)

var errNotTime = errors.New("the text is not a date or time of the type's form")

// argTime encodes dates, times and durations. A time.Time is cut to microseconds;
// for the local types it is the reading of its own clock. A time.Duration is a
// duration, or the time since midnight.
func argTime(s scalar, v any) ([]byte, error) {
	switch n := v.(type) {
	case edgedb.LocalDateTime:
		return argInstant(s, localDateTime(n), scalarLocalDateTime)
	case edgedb.LocalDate:
		return argInstant(s, localDate(n), scalarLocalDate)
	case edgedb.LocalTime:
		return argClock(s, localTime(n), scalarLocalTime)
	case edgedb.Duration:
		return argDuration(s, int64(n), 0, 0)
	case edgedb.RelativeDuration:
		micros, days, months := counts(n)
		return argDuration(s, micros, days, months)
	case edgedb.DateDuration:
		days, months, _ := counts(n)
		return argDuration(s, 0, days, months)
	case time.Duration:
		if s == scalarLocalTime {
			return argClock(s, n, s)
		}
		return argDuration(s, n.Microseconds(), 0, 0)
	}
	if rv := reflect.ValueOf(v); isTime(rv.Type()) {
		return argInstant(s, rv.Convert(timeType).Interface().(time.Time), s)
	}
	text, ok, err := argText(v)
	if err != nil || !ok {
		return nil, firstError(err, errUnfit)
	}
	return argTimeText(s, text)
}

// argInstant encodes a time as s, where only is the type that it may go into, or s
// itself where it may go into any.
func argInstant(s scalar, v time.Time, only scalar) ([]byte, error) {
	if s != only {
		return nil, errUnfit
	}
	switch s {
	case scalarLocalTime:
		hour, minute, second := v.Clock()
		return wireInt((int64(hour)*3600+int64(minute)*60+int64(second))*1_000_000+int64(v.Nanosecond()/1000), 8), nil
	case scalarDateTime:
		v = v.UTC()
	case scalarLocalDateTime, scalarLocalDate:
		v = time.Date(v.Year(), v.Month(), v.Day(), v.Hour(), v.Minute(), v.Second(), v.Nanosecond(), time.UTC)
	default:
		return nil, errUnfit
	}
	if v.Year() < 1 || v.Year() > 9999 {
		return nil, fmt.Errorf("the year does not fit %s, which goes from 1 to 9999", s.name())
	}
	if s == scalarLocalDate {
		return wireLocalDate(v.Truncate(24 * time.Hour)), nil
	}
	return wireDateTime(v), nil
}

// argClock encodes a time since midnight.
func argClock(s scalar, v time.Duration, only scalar) ([]byte, error) {
	if s != only {
		return nil, errUnfit
	}
	if v < 0 || v >= 24*time.Hour {
		return nil, fmt.Errorf("the duration does not fit %s, which goes from 0 to below 24 hours", s.name())
	}
	return wireInt(v.Microseconds(), 8), nil
}

// argDuration encodes a duration as one of the three types that there are.
func argDuration(s scalar, micros, days, months int64) ([]byte, error) {
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return nil, errDurationRange
	}
	switch {
	case s == scalarDuration && days == 0 && months == 0,
		s == scalarRelativeDuration,
		s == scalarDateDuration && micros == 0:
		return wireDuration(micros, days, months), nil
	case s == scalarDateDuration && micros%microsPerDay == 0 && micros/microsPerDay <= math.MaxInt32 && micros/microsPerDay >= math.MinInt32 && days == 0:
		return wireDuration(0, micros/microsPerDay, months), nil
	case s == scalarDuration || s == scalarDateDuration:
		return nil, fmt.Errorf("the duration has parts that %s does not have", s.name())
	default:
		return nil, errUnfit
	}
}

// argTimeText reads the forms that EdgeQL casts to str.
func argTimeText(s scalar, text string) ([]byte, error) {
	switch s {
	case scalarDuration, scalarRelativeDuration, scalarDateDuration:
		months, days, micros, err := parseISODuration(text)
		if err != nil {
			if d, errGo := time.ParseDuration(text); errGo == nil {
				return argDuration(s, d.Microseconds(), 0, 0)
			}
			return nil, err
		}
		return argDuration(s, micros, days, months)
	}
	layouts := map[scalar][]string{
		scalarDateTime:      {time.RFC3339Nano, "2006-01-02 15:04:05.999999Z07:00", "2006-01-02 15:04:05.999999-07"},
		scalarLocalDateTime: {localDateTimeLayout, "2006-01-02 15:04:05.999999"},
		scalarLocalDate:     {localDateLayout},
		scalarLocalTime:     {localTimeLayout, "15:04"},
	}
	for _, layout := range layouts[s] {
		if t, err := time.Parse(layout, strings.TrimSpace(text)); err == nil {
			return argInstant(s, t, s)
		}
	}
	return nil, errNotTime
}
