package typedesc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// interval is a duration as PostgreSQL and EdgeDB keep it: its three parts are
// not converted into each other.
type interval struct {
	micros       int64
	days, months int32
}

const (
	second = 1_000_000
	minute = 60 * second
	hour   = 60 * minute
)

var errInterval = errors.New("not a duration")

func readInterval(data []byte) (interval, bool) {
	r := reader{rest: data}
	v := interval{micros: r.int64(), days: r.int32(), months: r.int32()}
	return v, r.done()
}

func (v interval) append(dst []byte) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(v.micros))
	dst = binary.BigEndian.AppendUint32(dst, uint32(v.days))
	return binary.BigEndian.AppendUint32(dst, uint32(v.months))
}

// text writes an interval in ISO 8601; zero is what an empty one is written as.
func (v interval) text(zero string) string {
	if v == (interval{}) {
		return zero
	}
	var b strings.Builder
	part := func(n int64, unit string) {
		if n != 0 {
			fmt.Fprintf(&b, "%d%s", n, unit)
		}
	}
	b.WriteByte('P')
	part(int64(v.months/12), "Y")
	part(int64(v.months%12), "M")
	part(int64(v.days), "D")
	if v.micros != 0 {
		b.WriteByte('T')
		part(v.micros/hour, "H")
		part(v.micros%hour/minute, "M")
		if rest := v.micros % minute; rest != 0 {
			b.WriteString(seconds(rest) + "S")
		}
	}
	return b.String()
}

// seconds writes microseconds as seconds, without zeros at the end.
func seconds(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	text := fmt.Sprintf("%s%d.%06d", sign, micros/second, micros%second)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// parseInterval reads ISO 8601 ("P1M2DT3.5S") and the style in which PostgreSQL
// writes intervals by default ("1 mon 2 days 00:00:03.5").
func parseInterval(text string) (interval, error) {
	if rest, ok := strings.CutPrefix(text, "P"); ok {
		return parseISO(rest)
	}
	var v interval
	words := strings.Fields(text)
	if len(words) == 0 {
		return v, errInterval
	}
	for len(words) > 0 {
		if strings.Contains(words[0], ":") {
			micros, err := parseClock(words[0])
			if err != nil || len(words) > 1 {
				return v, errInterval
			}
			v.micros = micros
			return v, nil
		}
		if len(words) < 2 {
			return v, errInterval
		}
		n, err := strconv.ParseInt(words[0], 10, 32)
		if err != nil {
			return v, errInterval
		}
		switch strings.TrimSuffix(words[1], "s") {
		case "year":
			n *= 12
			fallthrough
		case "mon":
			v.months += int32(n)
		case "day":
			v.days += int32(n)
		default:
			return v, errInterval
		}
		words = words[2:]
	}
	return v, nil
}

// parseISO reads what follows the P.
func parseISO(text string) (interval, error) {
	var v interval
	date, clock, timed := strings.Cut(text, "T")
	for date != "" {
		n, unit, rest, err := isoPart(date)
		if err != nil || n%second != 0 {
			return v, errInterval
		}
		n /= second
		switch unit {
		case 'Y':
			v.months += int32(n * 12)
		case 'M':
			v.months += int32(n)
		case 'W':
			v.days += int32(n * 7)
		case 'D':
			v.days += int32(n)
		default:
			return v, errInterval
		}
		date = rest
	}
	for clock != "" {
		n, unit, rest, err := isoPart(clock)
		factor := map[byte]int64{'H': 3600, 'M': 60, 'S': 1}[unit]
		if err != nil || factor == 0 {
			return v, errInterval
		}
		v.micros += n * factor
		clock = rest
	}
	if text == "" || timed && strings.HasSuffix(text, "T") {
		return v, errInterval
	}
	return v, nil
}

// isoPart takes a number, in millionths, and its unit off a text.
func isoPart(text string) (n int64, unit byte, rest string, err error) {
	i := strings.IndexAny(text, "YMWDHS")
	if i < 0 {
		return 0, 0, "", errInterval
	}
	n, err = parseMicros(text[:i])
	return n, text[i], text[i+1:], err
}

// parseClock reads [+-]HH:MM[:SS[.ffffff]] as microseconds.
func parseClock(text string) (int64, error) {
	negative := strings.HasPrefix(text, "-")
	parts := strings.Split(strings.TrimLeft(text, "+-"), ":")
	if len(parts) < 2 || len(parts) > 3 {
		return 0, errInterval
	}
	total := int64(0)
	for i, factor := range []int64{3600, 60, 1}[:len(parts)] {
		n, err := parseMicros(parts[i])
		if err != nil || n < 0 {
			return 0, errInterval
		}
		total += n * factor
	}
	if negative {
		total = -total
	}
	return total, nil
}

// parseMicros reads a decimal number with up to six digits behind the point, in
// millionths.
func parseMicros(text string) (int64, error) {
	text, negative := strings.CutPrefix(text, "-")
	whole, fraction, _ := strings.Cut(text, ".")
	if whole == "" || len(whole) > 10 || len(fraction) > 6 || strings.Trim(whole+fraction, "0123456789") != "" {
		return 0, errInterval
	}
	n, err := strconv.ParseInt(whole+(fraction + "000000")[:6], 10, 64)
	if negative {
		n = -n
	}
	return n, err
}
