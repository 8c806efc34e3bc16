package retry

// Class says whether another attempt can help.
type Class uint8

// The classes. The zero value is Permanent.
const (
	// Permanent: another attempt would fail in the same way, or could do harm.
	Permanent Class = iota
	// Conflict: the attempt lost against another one that ran at the same time.
	// Nothing of it was applied.
	Conflict
	// Unavailable: the server could not be reached, went away or refuses work at
	// the moment. Nothing of the attempt was applied.
	Unavailable
	// CommitUnknown: the attempt may have been applied. It is never run again.
	CommitUnknown
)

// String names the class.
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
		return "unknown class"
	}
}
