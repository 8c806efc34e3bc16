package retry

import "fmt"

// Class says what another attempt after an error is worth.
type Class uint8

// The classes. Only Conflict and Unavailable are ever retried.
const (
	// Permanent errors would come back: another attempt is useless.
	Permanent Class = iota
	// Conflict is a lost race against another transaction: serialization
	// failure, deadlock. The server is well, so retries cost no budget.
	Conflict
	// Unavailable is a server that cannot be reached or turns work away.
	Unavailable
	// CommitUnknown is a commit whose outcome is not known. Another attempt might
	// do the work twice, so it is never made here.
	CommitUnknown
)

// String gives the class in lower case, such as "commit unknown".
func (c Class) String() string {
	switch c {
	case Permanent:
		return "permanent"
	case Conflict:
		return "conflict"
	case Unavailable:
		return "unavailable"
	case CommitUnknown:
		return "commit unknown"
	default:
		return fmt.Sprintf("class(%d)", uint8(c))
	}
}
