package codec

import (
	"fmt"
	"strings"
	"time"
)

// timeText writes dates and times.
func (s *source) timeText(b []byte) (string, error) {
	if s.class == classTime {
		d, err := readTimeOfDay(b)
		if err != nil {
			return "", err
		}
		text := fmt.Sprintf("%02d:%02d:%02d", d/time.Hour, d/time.Minute%60, d/time.Second%60)
		return text + fraction(int(d%time.Second)/1000), nil
	}
	if name := infinityName(s.class, b); name != "" {
		return name, nil
	}
	read := readTimestamp
	if s.class == classDate {
		read = readDate
	}
	t, err := read(b)
	if err != nil {
		return "", err
	}
	year, suffix := t.Year(), ""
	if year <= 0 {
		year, suffix = 1-year, " BC"
	}
	text := fmt.Sprintf("%04d-%02d-%02d", year, t.Month(), t.Day())
	if s.class == classDate {
		return text + suffix, nil
	}
	if s.class == classTimestamptz {
		suffix = "+00" + suffix
	}
	return text + t.Format(" 15:04:05") + fraction(t.Nanosecond()/1000) + suffix, nil
}

// fraction writes microseconds without trailing zeros.
func fraction(micros int) string {
	if micros == 0 {
		return ""
	}
	return "." + strings.TrimRight(fmt.Sprintf("%06d", micros), "0")
}

// intervalText writes an interval in the style "postgres" (PostgreSQL
// documentation, "Interval Output"): years to days as far as they are not zero,
// each with its own sign, and a time.
func intervalText(b []byte) (string, error) {
	i, err := parseInterval(b)
	switch {
	case err != nil:
		return "", err
	case i.infinite() && i.micros < 0:
		return "-infinity", nil
	case i.infinite():
		return "infinity", nil
	}
	var parts []string
	negative := false
	add := func(n int32, unit string) {
		if n == 0 {
			return
		}
		sign := ""
		if negative && n > 0 {
			sign = "+"
		}
		if n != 1 {
			unit += "s"
		}
		negative = n < 0
		parts = append(parts, fmt.Sprintf("%s%d %s", sign, n, unit))
	}
	add(i.months/12, "year")
	add(i.months%12, "mon")
	add(i.days, "day")
	if i.micros == 0 && len(parts) > 0 {
		return strings.Join(parts, " "), nil
	}
	sign, micros := "", uint64(i.micros)
	switch {
	case i.micros < 0:
		sign, micros = "-", -micros
	case negative:
		sign = "+"
	}
	seconds := micros / 1_000_000
	clock := fmt.Sprintf("%s%02d:%02d:%02d", sign, seconds/3600, seconds/60%60, seconds%60)
	parts = append(parts, clock+fraction(int(micros%1_000_000)))
	return strings.Join(parts, " "), nil
}
