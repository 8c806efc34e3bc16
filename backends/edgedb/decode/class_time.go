package decode

import (
	"math"
	"reflect"
	"time"

	"github.com/edgedb/edgedb-go"
)

const (
	microsPerDay = 24 * 60 * 60 * 1_000_000
	// How EdgeQL casts to str.
	dateTimeLayout      = "2006-01-02T15:04:05.999999-07:00"
	localDateTimeLayout = "2006-01-02T15:04:05.999999"
	localDateLayout     = "2006-01-02"
	localTimeLayout     = "15:04:05.999999"
	// yearOneUnix is 0001-01-01 in seconds from 1970.
	yearOneUnix = -62135596800
)

// timeInto stores what instant makes of a value in time.Time and types declared
// as one.
func timeInto[N any](t reflect.Type, instant func(N) time.Time) setter[N] {
	switch {
	case t == timeType:
		return func(dst reflect.Value, v N) error { return assign(dst, instant(v)) }
	case isTime(t):
		return func(dst reflect.Value, v N) error {
			dst.Set(reflect.ValueOf(instant(v)).Convert(t))
			return nil
		}
	default:
		return nil
	}
}

// dateTimes is the class of datetime. Instants are in UTC on every machine.
func dateTimes() *class[time.Time] {
	return &class[time.Time]{
		scalar:  scalarDateTime,
		natural: func(v time.Time) any { return v.UTC() },
		driver:  func(v time.Time) any { return v.UTC() },
		text:    func(v time.Time) string { return v.UTC().Format(dateTimeLayout) },
		wire:    func(v time.Time) ([]byte, error) { return wireDateTime(v), nil },
		into:    func(t reflect.Type) setter[time.Time] { return timeInto(t, time.Time.UTC) },
	}
}

// counts reads the counts that edgedb-go's types for dates and durations are made
// of, in their order. The types do not give them away but as text.
func counts(v any) (a, b, c int64) {
	s := reflect.ValueOf(v)
	out := [3]int64{}
	for i := range min(s.NumField(), len(out)) {
		out[i] = s.Field(i).Int()
	}
	return out[0], out[1], out[2]
}

// localDateTime is the clock's reading, as UTC.
func localDateTime(v edgedb.LocalDateTime) time.Time {
	micros, _, _ := counts(v) // from year 1
	return fromMicros(micros, yearOneUnix)
}

// fromMicros is the instant micros after epoch, in seconds from 1970.
func fromMicros(micros, epoch int64) time.Time {
	seconds, rest := micros/1_000_000, micros%1_000_000
	return time.Unix(epoch+seconds, rest*1000).UTC()
}

// localDate is midnight in UTC.
func localDate(v edgedb.LocalDate) time.Time {
	days, _, _ := counts(v) // from year 1
	return time.Unix(yearOneUnix+days*86400, 0).UTC()
}

// localTime is the time since midnight.
func localTime(v edgedb.LocalTime) time.Duration {
	micros, _, _ := counts(v)
	return time.Duration(micros) * time.Microsecond
}

func localDateTimes() *class[edgedb.LocalDateTime] {
	return &class[edgedb.LocalDateTime]{
		scalar:  scalarLocalDateTime,
		natural: func(v edgedb.LocalDateTime) any { return localDateTime(v) },
		driver:  func(v edgedb.LocalDateTime) any { return localDateTime(v) },
		text:    edgedb.LocalDateTime.String,
		wire:    func(v edgedb.LocalDateTime) ([]byte, error) { return wireDateTime(localDateTime(v)), nil },
		into:    func(t reflect.Type) setter[edgedb.LocalDateTime] { return timeInto(t, localDateTime) },
	}
}

func localDates() *class[edgedb.LocalDate] {
	return &class[edgedb.LocalDate]{
		scalar:  scalarLocalDate,
		natural: func(v edgedb.LocalDate) any { return localDate(v) },
		driver:  func(v edgedb.LocalDate) any { return localDate(v) },
		text:    edgedb.LocalDate.String,
		wire:    func(v edgedb.LocalDate) ([]byte, error) { return wireLocalDate(localDate(v)), nil },
		into:    func(t reflect.Type) setter[edgedb.LocalDate] { return timeInto(t, localDate) },
	}
}

func localTimes() *class[edgedb.LocalTime] {
	return &class[edgedb.LocalTime]{
		scalar:  scalarLocalTime,
		natural: func(v edgedb.LocalTime) any { return localTime(v) },
		driver:  func(v edgedb.LocalTime) any { return v.String() },
		text:    edgedb.LocalTime.String,
		wire:    func(v edgedb.LocalTime) ([]byte, error) { return wireInt(localTime(v).Microseconds(), 8), nil },
		into: func(t reflect.Type) setter[edgedb.LocalTime] {
			if t == durationType {
				return func(dst reflect.Value, v edgedb.LocalTime) error { return assign(dst, localTime(v)) }
			}
			return timeInto(t, func(v edgedb.LocalTime) time.Time {
				return time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).Add(localTime(v))
			})
		},
	}
}

// durations is the class of duration: an exact number of microseconds.
func durations() *class[edgedb.Duration] {
	return &class[edgedb.Duration]{
		scalar: scalarDuration,
		natural: func(v edgedb.Duration) any {
			if d, err := goDuration(int64(v), 0, 0); err == nil {
				return d
			}
			return isoDuration(0, 0, int64(v))
		},
		driver: func(v edgedb.Duration) any { return isoDuration(0, 0, int64(v)) },
		text:   func(v edgedb.Duration) string { return isoDuration(0, 0, int64(v)) },
		wire:   func(v edgedb.Duration) ([]byte, error) { return wireDuration(int64(v), 0, 0), nil },
		into: func(t reflect.Type) setter[edgedb.Duration] {
			if t != durationType {
				return nil
			}
			return func(dst reflect.Value, v edgedb.Duration) error { return setDuration(dst, int64(v), 0, 0) }
		},
	}
}

func relativeDurations() *class[edgedb.RelativeDuration] {
	text := func(v edgedb.RelativeDuration) string {
		micros, days, months := counts(v)
		return isoDuration(months, days, micros)
	}
	return &class[edgedb.RelativeDuration]{
		scalar:  scalarRelativeDuration,
		natural: func(v edgedb.RelativeDuration) any { return text(v) },
		driver:  func(v edgedb.RelativeDuration) any { return text(v) },
		text:    text,
		wire: func(v edgedb.RelativeDuration) ([]byte, error) {
			micros, days, months := counts(v)
			return wireDuration(micros, days, months), nil
		},
		into: func(t reflect.Type) setter[edgedb.RelativeDuration] {
			if t != durationType {
				return nil
			}
			return func(dst reflect.Value, v edgedb.RelativeDuration) error {
				micros, days, months := counts(v)
				return setDuration(dst, micros, days, months)
			}
		},
	}
}

func dateDurations() *class[edgedb.DateDuration] {
	text := func(v edgedb.DateDuration) string {
		days, months, _ := counts(v)
		if days == 0 && months == 0 {
			return "P0D"
		}
		return isoDuration(months, days, 0)
	}
	return &class[edgedb.DateDuration]{
		scalar:  scalarDateDuration,
		natural: func(v edgedb.DateDuration) any { return text(v) },
		driver:  func(v edgedb.DateDuration) any { return text(v) },
		text:    text,
		wire: func(v edgedb.DateDuration) ([]byte, error) {
			days, months, _ := counts(v)
			return wireDuration(0, days, months), nil
		},
		into: func(t reflect.Type) setter[edgedb.DateDuration] {
			if t != durationType {
				return nil
			}
			return func(dst reflect.Value, v edgedb.DateDuration) error {
				days, months, _ := counts(v)
				return setDuration(dst, 0, days, months)
			}
		},
	}
}

// setDuration stores a duration without months in a time.Duration.
func setDuration(dst reflect.Value, micros, days, months int64) error {
	d, err := goDuration(micros, days, months)
	if err != nil {
		return err
	}
	return assign(dst, d)
}

// goDuration converts a duration without months; a day is 24 hours.
func goDuration(micros, days, months int64) (time.Duration, error) {
	if months != 0 {
		return 0, reasonf("a duration of %d months into time.Duration: months have no fixed length; take a string or edgedb-go's own type", months)
	}
	const most = math.MaxInt64 / 1000
	if days > most/microsPerDay || days < -most/microsPerDay || micros > most || micros < -most {
		return 0, tooLong()
	}
	sum := days*microsPerDay + micros
	if sum > most || sum < -most {
		return 0, tooLong()
	}
	return time.Duration(sum) * time.Microsecond, nil
}

func tooLong() error {
	return reasonf("the duration does not fit time.Duration (292 years): take a string or edgedb-go's own type")
}

// memories is the class of cfg::memory: a number of bytes.
func memories() *class[edgedb.Memory] {
	return &class[edgedb.Memory]{
		scalar:  scalarMemory,
		natural: func(v edgedb.Memory) any { return int64(v) },
		driver:  func(v edgedb.Memory) any { return int64(v) },
		text:    edgedb.Memory.String,
		wire:    func(v edgedb.Memory) ([]byte, error) { return wireInt(int64(v), 8), nil },
		into: func(t reflect.Type) setter[edgedb.Memory] {
			set := intInto(t)
			if set == nil {
				return nil
			}
			return func(dst reflect.Value, v edgedb.Memory) error { return set(dst, int64(v)) }
		},
	}
}
