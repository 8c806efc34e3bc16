package typedesc

import (
	"encoding/binary"
	"math"
	"strconv"
	"strings"
)

// memoryUnits are the units of cfg::memory, each 1024 of the one before.
var memoryUnits = []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB"}

// memoryText writes a number of bytes in the largest unit that it is a multiple
// of.
func memoryText(n int64) string {
	unit := 0
	for n != 0 && n%1024 == 0 && unit < len(memoryUnits)-1 {
		n, unit = n/1024, unit+1
	}
	return strconv.FormatInt(n, 10) + memoryUnits[unit]
}

// parseMemory reads what memoryText writes, and a bare number of bytes.
func parseMemory(text string) ([]byte, error) {
	digits := strings.TrimRight(text, "BKMGTPi")
	n, err := strconv.ParseInt(digits, 10, 64)
	factor := int64(1)
	for _, unit := range memoryUnits {
		if text[len(digits):] == unit || text[len(digits):] == "" {
			if err != nil || n < 0 || n > math.MaxInt64/factor {
				return nil, strconv.ErrRange
			}
			return binary.BigEndian.AppendUint64(nil, uint64(n*factor)), nil
		}
		factor *= 1024
	}
	return nil, strconv.ErrSyntax
}
