package wire

// Kind is what a message means to the reader of a flight. The values are the
// message's type bytes (PostgreSQL documentation, section "Message Formats").
type Kind byte

// The kinds that Flight.Next gives. ErrorResponse ends its group: what follows
// is the group's Ready. CopyIn and CopyOut are refused and drained by Next, and
// reach nobody.
const (
	ParseComplete        Kind = '1'
	BindComplete         Kind = '2'
	CloseComplete        Kind = '3'
	ParameterDescription Kind = 't'
	RowDescription       Kind = 'T'
	NoData               Kind = 'n'
	DataRow              Kind = 'D'
	CommandComplete      Kind = 'C'
	EmptyQueryResponse   Kind = 'I'
	ErrorResponse        Kind = 'E'
	Ready                Kind = 'Z'
)

// The messages that may come at any time.
const (
	noticeResponse       = 'N'
	parameterStatus      = 'S'
	notificationResponse = 'A'
)

const (
	copyInResponse   = 'G'
	copyOutResponse  = 'H'
	copyBothResponse = 'W'
	copyData         = 'd'
	copyDone         = 'c'
)

// action is what a message does to the flight.
type action uint8

const (
	refuse     action = iota // the protocol does not allow it here
	deliver                  // hand it out, stay at the step
	advance                  // hand it out, the step is answered
	fail                     // an error: skip to the group's Sync
	ready                    // the group's end
	refuseCopy               // COPY from or to the client: refuse it
	ignore                   // part of a refused COPY
)

// transition is the state machine of a flight: what message typ means while
// step s is being answered. Everything that is not listed is a violation.
func transition(s step, typ byte) action {
	if typ == byte(ErrorResponse) {
		return fail
	}
	switch s {
	case stepParse:
		return when(typ == byte(ParseComplete), advance)
	case stepBind:
		return when(typ == byte(BindComplete), advance)
	case stepClose:
		return when(typ == byte(CloseComplete), advance)
	case stepSync:
		return when(typ == byte(Ready), ready)
	case stepDescribe:
		switch Kind(typ) {
		case ParameterDescription:
			return deliver
		case RowDescription, NoData:
			return advance
		}
	case stepExecute:
		switch typ {
		case byte(DataRow):
			return deliver
		case byte(CommandComplete), byte(EmptyQueryResponse):
			return advance
		case copyInResponse, copyOutResponse, copyBothResponse:
			return refuseCopy
		case copyData, copyDone:
			return ignore
		}
	case stepQuery:
		switch typ {
		case byte(DataRow), byte(RowDescription), byte(CommandComplete), byte(EmptyQueryResponse):
			return deliver
		case copyInResponse, copyOutResponse, copyBothResponse:
			return refuseCopy
		case copyData, copyDone:
			return ignore
		case byte(Ready):
			return ready
		}
	}
	return refuse
}

func when(ok bool, a action) action {
	if ok {
		return a
	}
	return refuse
}
