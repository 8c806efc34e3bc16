package edgedb

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// settingValue is the text of a config's value. edgedb-go asks it for the bytes of
// the type that the server declares; these are in EdgeDB's documentation,
// "Protocol reference", chapter "Data wire formats".
type settingValue string

// settingOf is what edgedb-go takes for a value: a settingValue, or where the
// text is a JSON array of strings, a set of them, for what has several values.
func settingOf(value string) (any, error) {
	if strings.IndexByte(value, 0) >= 0 {
		return nil, errors.New("has a NUL byte")
	}
	var texts []string
	if !strings.HasPrefix(value, "[") || json.Unmarshal([]byte(value), &texts) != nil {
		return settingValue(value), nil
	}
	set := make([]any, len(texts))
	for i, t := range texts {
		set[i] = settingValue(t)
	}
	return set, nil
}

// MarshalEdgeDBStr is for str and enums.
func (v settingValue) MarshalEdgeDBStr() ([]byte, error) { return []byte(v), nil }

// MarshalEdgeDBBool is for bool.
func (v settingValue) MarshalEdgeDBBool() ([]byte, error) {
	switch strings.ToLower(string(v)) {
	case "true", "on", "yes", "1":
		return []byte{1}, nil
	case "false", "off", "no", "0":
		return []byte{0}, nil
	}
	return nil, v.wrong("a bool")
}

// MarshalEdgeDBInt16 is for int16.
func (v settingValue) MarshalEdgeDBInt16() ([]byte, error) {
	n, err := strconv.ParseInt(string(v), 10, 16)
	return v.orWrong(binary.BigEndian.AppendUint16(nil, uint16(n)), err, "an int16")
}

// MarshalEdgeDBInt32 is for int32.
func (v settingValue) MarshalEdgeDBInt32() ([]byte, error) {
	n, err := strconv.ParseInt(string(v), 10, 32)
	return v.orWrong(binary.BigEndian.AppendUint32(nil, uint32(n)), err, "an int32")
}

// MarshalEdgeDBInt64 is for int64.
func (v settingValue) MarshalEdgeDBInt64() ([]byte, error) {
	n, err := strconv.ParseInt(string(v), 10, 64)
	return v.orWrong(binary.BigEndian.AppendUint64(nil, uint64(n)), err, "an int64")
}

// MarshalEdgeDBFloat32 is for float32.
func (v settingValue) MarshalEdgeDBFloat32() ([]byte, error) {
	n, err := strconv.ParseFloat(string(v), 32)
	return v.orWrong(binary.BigEndian.AppendUint32(nil, math.Float32bits(float32(n))), err, "a float32")
}

// MarshalEdgeDBFloat64 is for float64.
func (v settingValue) MarshalEdgeDBFloat64() ([]byte, error) {
	n, err := strconv.ParseFloat(string(v), 64)
	return v.orWrong(binary.BigEndian.AppendUint64(nil, math.Float64bits(n)), err, "a float64")
}

// MarshalEdgeDBMemory is for cfg::memory: a number of bytes, with a unit such as
// MiB where it is not bytes.
func (v settingValue) MarshalEdgeDBMemory() ([]byte, error) {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}
	for i := len(units) - 1; i >= 0; i-- {
		number, ok := strings.CutSuffix(string(v), units[i])
		if !ok && i > 0 {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err == nil && (n < 0 || n > math.MaxInt64>>(10*i)) {
			err = strconv.ErrRange
		}
		return v.orWrong(binary.BigEndian.AppendUint64(nil, uint64(n)<<(10*i)), err, "a size such as 256MiB")
	}
	return nil, nil // not reached: the loop ends at bytes
}

// MarshalEdgeDBDuration is for duration: ISO 8601 as EdgeDB shows it, or as
// time.ParseDuration reads it.
func (v settingValue) MarshalEdgeDBDuration() ([]byte, error) {
	micros, ok := parseDuration(string(v))
	if !ok {
		return nil, v.wrong("a duration such as PT1M30S or 90s")
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(micros)), make([]byte, 8)...), nil
}

// wrong says what the value should have been, and not what it is: configs may
// hold secrets.
func (v settingValue) wrong(want string) error {
	return fmt.Errorf("the setting's value is not %s", want)
}

func (v settingValue) orWrong(data []byte, err error, want string) ([]byte, error) {
	if err != nil {
		return nil, v.wrong(want)
	}
	return data, nil
}

// parseDuration gives microseconds. ISO 8601 goes from hours downwards, as days
// and above have no fixed length.
func parseDuration(text string) (micros int64, ok bool) {
	rest, sign := text, int64(1)
	if after, minus := strings.CutPrefix(rest, "-"); minus {
		rest, sign = after, -1
	}
	rest, iso := strings.CutPrefix(strings.ToUpper(rest), "PT")
	if !iso {
		d, err := time.ParseDuration(text)
		return d.Microseconds(), err == nil
	}
	total, units := 0.0, "HMS"
	for rest != "" {
		end := strings.IndexAny(rest, units)
		if end <= 0 {
			return 0, false
		}
		n, err := strconv.ParseFloat(rest[:end], 64)
		if err != nil || strings.ContainsAny(rest[:end], "EXPINF_") {
			return 0, false
		}
		total += n * map[byte]float64{'H': 3600e6, 'M': 60e6, 'S': 1e6}[rest[end]]
		_, units, _ = strings.Cut(units, rest[end:end+1])
		rest = rest[end+1:]
	}
	if math.Abs(total) >= math.MaxInt64 || len(units) == 3 {
		return 0, false
	}
	return sign * int64(math.Round(total)), true
}
