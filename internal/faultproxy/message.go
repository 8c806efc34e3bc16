package faultproxy

import "strconv"

// The pseudo types of what has no type byte (PostgreSQL documentation, "Message
// Formats").
const (
	// Startup is the packet that begins a session.
	Startup byte = 1 + iota
	// CancelRequest asks to cancel what another connection runs.
	CancelRequest
	// SSLRequest asks whether the server wants TLS.
	SSLRequest
	// GSSENCRequest asks whether the server wants GSSAPI encryption.
	GSSENCRequest
	// SSLAnswer is the server's single byte after either question.
	SSLAnswer
)

// KeptText is how many bytes of a message's text are known.
const KeptText = 1024

// Message is what Config.Watch is told.
type Message struct {
	// Conn is the connection's number, from 1 on; cancel requests have numbers of
	// their own, from -1 downwards.
	Conn int64
	// From is who sends it.
	From Side
	// Type is its type byte, or Startup and so on.
	Type byte
	// Text is what Rule.Text is compared with. Of Bind, Describe, Execute and
	// Close it is the command, where it is known.
	Text string
	// Name is, of Parse, Bind, Describe, Execute and Close, the name of the
	// statement, or of the portal; empty: the unnamed one.
	Name string
	// Length is the length in bytes of the whole message.
	Length int64
}

// String is such as `client Execute "COMMIT"`.
func (m Message) String() string {
	s := m.From.String() + " " + TypeName(m.From, m.Type)
	if m.Text != "" {
		s += " " + strconv.Quote(m.Text)
	}
	return s
}

var untypedNames = [...]string{
	Startup: "Startup", CancelRequest: "CancelRequest", SSLRequest: "SSLRequest",
	GSSENCRequest: "GSSENCRequest", SSLAnswer: "SSLAnswer",
}

var clientNames = [...]string{
	'B': "Bind", 'C': "Close", 'D': "Describe", 'E': "Execute", 'F': "FunctionCall", 'H': "Flush", 'P': "Parse",
	'Q': "Query", 'S': "Sync", 'X': "Terminate", 'c': "CopyDone", 'd': "CopyData", 'f': "CopyFail", 'p': "Password",
}

var serverNames = [...]string{
	'1': "ParseComplete", '2': "BindComplete", '3': "CloseComplete", 'A': "NotificationResponse", 'C': "CommandComplete",
	'D': "DataRow", 'E': "ErrorResponse", 'G': "CopyInResponse", 'H': "CopyOutResponse", 'I': "EmptyQueryResponse",
	'K': "BackendKeyData", 'N': "NoticeResponse", 'R': "Authentication", 'S': "ParameterStatus", 'T': "RowDescription",
	'V': "FunctionCallResponse", 'W': "CopyBothResponse", 'Z': "ReadyForQuery", 'c': "CopyDone", 'd': "CopyData",
	'n': "NoData", 's': "PortalSuspended", 't': "ParameterDescription", 'v': "NegotiateProtocolVersion",
}

// TypeName is the documentation's name of a message type; all that a client
// answers to an authentication request is Password. Of an unknown type it is the
// byte, quoted.
func TypeName(from Side, typ byte) string {
	names := clientNames[:]
	if from == Server {
		names = serverNames[:]
	}
	if int(typ) < len(untypedNames) {
		names = untypedNames[:]
	}
	if int(typ) < len(names) && names[typ] != "" {
		return names[typ]
	}
	return strconv.QuoteRuneToASCII(rune(typ))
}
