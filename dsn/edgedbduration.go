package dsn

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// edgeUnits are the units of a duration that people write. Nothing writes to it.
var edgeUnits = map[string]time.Duration{
	"h": time.Hour, "hr": time.Hour, "hrs": time.Hour, "hour": time.Hour, "hours": time.Hour,
	"m": time.Minute, "min": time.Minute, "mins": time.Minute, "minute": time.Minute, "minutes": time.Minute,
	"s": time.Second, "sec": time.Second, "secs": time.Second, "second": time.Second, "seconds": time.Second,
	"ms": time.Millisecond, "millisecond": time.Millisecond, "milliseconds": time.Millisecond,
	"us": time.Microsecond, "microsecond": time.Microsecond, "microseconds": time.Microsecond,
}

// parseEdgeDuration reads a duration as EdgeDB's clients do: ISO 8601 from hours
// downwards (PT1H30M5.5S; a number alone is hours), or numbers with units in any
// order (5 s 2 minutes, 1hour). Each unit may be there once. Negative ones and
// those beyond [time.Duration] are refused.
func parseEdgeDuration(text string) (time.Duration, bool) {
	if rest, ok := strings.CutPrefix(text, "PT"); ok {
		return parseISODuration(rest)
	}
	return parseHumanDuration(text)
}

func parseISODuration(rest string) (time.Duration, bool) {
	const units = "HMS"
	if number, after := leadingNumber(rest); number != "" && after == "" {
		return addDuration(0, number, time.Hour)
	}
	total, next, ok := time.Duration(0), 0, false
	for rest != "" {
		number, after := leadingNumber(rest)
		if number == "" || after == "" {
			return 0, false
		}
		unit := strings.IndexByte(units, after[0])
		if unit < next {
			return 0, false
		}
		next, rest = unit+1, after[1:]
		if total, ok = addDuration(total, number, [...]time.Duration{time.Hour, time.Minute, time.Second}[unit]); !ok {
			return 0, false
		}
	}
	return total, ok
}

func parseHumanDuration(text string) (time.Duration, bool) {
	total, ok := time.Duration(0), false
	seen := map[time.Duration]bool{}
	for rest := strings.TrimSpace(text); rest != ""; {
		number, after := leadingNumber(rest)
		after = strings.TrimLeft(after, " \t")
		end := 0
		for end < len(after) && (after[end]|0x20 >= 'a' && after[end]|0x20 <= 'z') {
			end++
		}
		unit := edgeUnits[strings.ToLower(after[:end])]
		if number == "" || unit == 0 || seen[unit] {
			return 0, false
		}
		seen[unit], rest = true, strings.TrimLeft(after[end:], " \t")
		if total, ok = addDuration(total, number, unit); !ok {
			return 0, false
		}
	}
	return total, ok
}

// leadingNumber cuts off digits with at most one point, which must have digits on
// both sides.
func leadingNumber(s string) (number, rest string) {
	end := 0
	for end < len(s) && (s[end] >= '0' && s[end] <= '9' || s[end] == '.') {
		end++
	}
	number = s[:end]
	whole, fraction, point := strings.Cut(number, ".")
	if whole == "" || point && fraction == "" || strings.Contains(fraction, ".") {
		return "", s
	}
	return number, s[end:]
}

// addDuration adds number units to total, rounded to microseconds, which is what
// EdgeDB counts.
func addDuration(total time.Duration, number string, unit time.Duration) (time.Duration, bool) {
	n, err := strconv.ParseFloat(number, 64)
	if err != nil {
		return 0, false
	}
	micros := math.Round(n * float64(unit/time.Microsecond))
	if micros >= math.MaxInt64/1000 {
		return 0, false
	}
	part := time.Duration(micros) * time.Microsecond
	if part > math.MaxInt64-total {
		return 0, false
	}
	return total + part, true
}
