package decode

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// isoDuration writes a duration as EdgeDB does, in ISO 8601 with a sign for each
// part: P1Y2M3DT4H5M6.7S, PT-1H.
func isoDuration(months, days, micros int64) string {
	b := []byte{'P'}
	part := func(n int64, unit byte) {
		if n != 0 {
			b = append(strconv.AppendInt(b, n, 10), unit)
		}
	}
	part(months/12, 'Y')
	part(months%12, 'M')
	part(days, 'D')
	if micros == 0 {
		if len(b) == 1 {
			return "PT0S"
		}
		return string(b)
	}
	b = append(b, 'T')
	part(micros/3_600_000_000, 'H')
	part(micros/60_000_000%60, 'M')
	if rest := micros % 60_000_000; rest != 0 {
		if rest < 0 {
			b, rest = append(b, '-'), -rest
		}
		b = strconv.AppendInt(b, rest/1_000_000, 10)
		if fraction := rest % 1_000_000; fraction != 0 {
			digits := strconv.FormatInt(1_000_000+fraction, 10)[1:]
			b = append(append(b, '.'), strings.TrimRight(digits, "0")...)
		}
		b = append(b, 'S')
	}
	return string(b)
}

var errNotDuration = errors.New("the text is not an ISO 8601 duration")

// parseISODuration reads what isoDuration writes, and weeks.
func parseISODuration(text string) (months, days, micros int64, err error) {
	rest, ok := strings.CutPrefix(text, "P")
	if !ok || rest == "" || rest == "T" {
		return 0, 0, 0, errNotDuration
	}
	units, at := []durationUnit{{'Y', &months, 12}, {'M', &months, 1}, {'W', &days, 7}, {'D', &days, 1}}, 0
	clock := false
	for rest != "" {
		if rest[0] == 'T' && !clock {
			clock, at, rest = true, 0, rest[1:]
			units = []durationUnit{{'H', &micros, 3_600_000_000}, {'M', &micros, 60_000_000}, {'S', &micros, 1_000_000}}
			if rest == "" {
				return 0, 0, 0, errNotDuration
			}
			continue
		}
		end := strings.IndexFunc(rest, func(r rune) bool { return r >= 'A' && r <= 'Z' })
		if end < 0 {
			return 0, 0, 0, errNotDuration
		}
		for at < len(units) && units[at].letter != rest[end] {
			at++ // units come in this order, each at most once
		}
		if at == len(units) {
			return 0, 0, 0, errNotDuration
		}
		if err := units[at].add(rest[:end]); err != nil {
			return 0, 0, 0, err
		}
		at, rest = at+1, rest[end+1:]
	}
	return months, days, micros, nil
}

// durationUnit is a unit of a duration and what one of it counts.
type durationUnit struct {
	letter byte
	sum    *int64
	size   int64
}

// add adds n units; n may have a fraction where the unit is measured in
// microseconds.
func (u durationUnit) add(n string) error {
	negative := strings.HasPrefix(n, "-")
	if n != "" && (n[0] == '-' || n[0] == '+') {
		n = n[1:]
	}
	whole, fraction, hasPoint := strings.Cut(n, ".")
	if !allDigits(whole) || whole == "" || hasPoint && (u.size < 1_000_000 || len(fraction) > 6 || fraction == "" || !allDigits(fraction)) {
		return errNotDuration
	}
	count, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || count > math.MaxInt32 && u.size < 1_000_000 {
		return errDurationRange
	}
	// The sum is made below zero, where there is room for one more.
	below, ok := mulNegative(count, u.size)
	if hasPoint {
		micros, _ := strconv.ParseInt((fraction + "000000")[:6], 10, 64)
		below, ok = addChecked(below, -micros*(u.size/1_000_000), ok)
	}
	if !negative {
		ok = ok && below != math.MinInt64
		below = -below
	}
	sum, ok := addChecked(*u.sum, below, ok)
	if !ok {
		return errDurationRange
	}
	*u.sum = sum
	return nil
}

var errDurationRange = errors.New("the duration is out of range")

func allDigits(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

// mulNegative gives -a*b for a and b that are not negative.
func mulNegative(a, b int64) (int64, bool) {
	p := -a * b
	return p, a == 0 || p/b == -a && p <= 0
}

func addChecked(a, b int64, ok bool) (int64, bool) {
	sum := a + b
	return sum, ok && (sum > a) == (b > 0)
}
