package wire

import "io"

// Doors for the tests of the connection core.

// Reader is what frames messages.
type Reader = reader

// NewReader makes a Reader that accepts length fields up to limit.
func NewReader(src io.Reader, limit int) *Reader {
	r := newReader(src)
	r.limit = limit
	return r
}

// ReadBufferSize and MessageLimit are the reader's constants.
const (
	ReadBufferSize = readBufferSize
	MessageLimit   = messageLimit
)

// Next reads a message.
func (r *reader) Next() (byte, []byte, error) { return r.next() }

// Size is the size of the buffer.
func (r *reader) Size() int { return len(r.buf) }

// Transition is the state machine, by names.
func Transition(name string, typ byte) string {
	for i, known := range stepNames {
		if known == name {
			return actionNames[transition(step(i), typ)]
		}
	}
	return "no such step"
}

var (
	stepNames   = []string{"Parse", "Describe", "Bind", "Execute", "Close", "Sync", "Query"}
	actionNames = []string{"refuse", "deliver", "advance", "fail", "ready", "refuseCopy", "ignore"}
)

// StepNames are the names that Transition takes.
func StepNames() []string { return stepNames }

// WriteBuffers counts the bytes of memory kept for writing.
func (c *Conn) WriteBuffers() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return cap(c.pending) + cap(c.spare)
}

// ReadBuffer counts the bytes of memory kept for reading. Only while nobody
// reads.
func (c *Conn) ReadBuffer() int { return len(c.rd.buf) }

// CancelGrace is how long an abandoned flight may go on before the server is
// asked to cancel it.
const CancelGrace = cancelGrace
