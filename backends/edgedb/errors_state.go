package edgedb

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"strings"

	"github.com/edgedb/edgedb-go"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/retry"
)

// known finds the condition and the message of an error of edgedb-go, or of the
// *duet.Error that was made of one.
func known(err error) (name, message string, c condition) {
	if e, ok := errors.AsType[*duet.Error](err); ok {
		return e.Name, e.Message, conditions[e.Name]
	}
	r := decisive(err)
	return r.name, r.message, r.condition
}

// classify tells the retry loop what an error of an attempt means.
func classify(err error) retry.Class {
	if errors.Is(err, duet.ErrCommitUnknown) {
		return retry.CommitUnknown
	}
	if _, ok := errors.AsType[*retry.Error](err); ok { // another loop, inside the attempt, has tried
		return retry.Permanent
	}
	e, ok := errors.AsType[*duet.Error](err)
	if !ok || e.Backend != backendName {
		return retry.Permanent
	}
	switch {
	case e.Kind == duet.KindSerialization, e.Kind == duet.KindDeadlock:
		return retry.Conflict
	case e.Name == "StateMismatchError":
		return retry.Conflict // edgedb-go has been told the new description
	case e.Kind != duet.KindUnavailable || isRefused(e):
		return retry.Permanent
	case e.Phase != duet.PhaseConnect && contextEnded(err):
		return retry.Permanent
	default:
		return retry.Unavailable
	}
}

// isRefused says that a server that is unavailable will not become available by
// waiting.
func isRefused(e *duet.Error) bool {
	if e.Name == "ServerBlockedError" {
		return true
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](e.Err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](e.Err); ok {
		return true
	}
	if _, ok := errors.AsType[x509.CertificateInvalidError](e.Err); ok {
		return true
	}
	if op, ok := errors.AsType[*net.OpError](e.Err); ok && op.Op == "remote error" {
		return true // a TLS alert
	}
	_, ok := errors.AsType[tls.RecordHeaderError](e.Err)
	return ok
}

// isConnectionLost says that a connection cannot be used after an error that a
// call on it returned: it is gone, or nobody knows what it will say next. It
// takes edgedb-go's errors and those made of them. Where it is not sure, it says
// so too: a new connection costs little.
func isConnectionLost(err error) bool {
	if err == nil {
		return false
	}
	for _, r := range reports(err) {
		if r.condition.is(familyClientConnection) {
			return true // whatever else it was joined with
		}
	}
	name, message, c := known(err)
	switch {
	case name == "":
		e, ours := errors.AsType[*duet.Error](err)
		return !ours || e.Kind == duet.KindProtocol || e.Kind == duet.KindUnavailable || e.Kind == duet.KindCanceled
	case c.is(familyBinaryProtocol):
		return !strings.HasPrefix(message, "invalid connection state") && message != "empty query"
	case c.is(familySessionTimeout):
		return name != "QueryTimeoutError"
	case c.is(familyAvailability):
		return name != "BackendUnavailableError"
	case name == "InterfaceError":
		return strings.Contains(message, "closed") || strings.Contains(message, "borrow")
	}
	switch name {
	case "AuthenticationError", "ClientError", "InternalClientError":
		return true
	}
	return c.is(familyClientConnection)
}

// isUnsent says that the command of a call was not sent, or at least not run: the
// connection could not be made or was found closed, or edgedb-go refused the
// call. Where it is not sure, it says no: a failed write may have written.
func isUnsent(err error) bool {
	name, message, c := known(err)
	switch {
	case name == "":
		return false
	case c.is(familyClientConnection):
		return isUnsentConnection(err)
	case c.is(familyBinaryProtocol):
		return strings.HasPrefix(message, "invalid connection state")
	}
	switch name {
	case "AuthenticationError", "UnknownDatabaseError", "InterfaceError",
		"QueryArgumentError", "MissingArgumentError", "UnknownArgumentError", "InvalidArgumentError":
		return true
	}
	return false
}

func isUnsentConnection(err error) bool {
	cause := rootCause(err)
	if e, ok := errors.AsType[*duet.Error](err); ok {
		cause = e.Err
	}
	if op, ok := errors.AsType[*net.OpError](cause); ok {
		return op.Op == "dial"
	}
	if _, ok := errors.AsType[*tls.CertificateVerificationError](cause); ok {
		return true
	}
	// Its reader saw the end before the request was written. Without a cause, it is
	// also what is said where the end came right after the answer.
	name, _, _ := known(err)
	return name == "ClientConnectionClosedError" && (errors.Is(cause, io.EOF) || cause == net.ErrClosed)
}

// isNetwork says that err came from a socket.
func isNetwork(err error) bool {
	_, ok := errors.AsType[net.Error](err)
	return ok || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// rootCause is what edgedb-go's error was made of: a socket's or a context's
// error, nil if it has none.
func rootCause(err error) error {
	for {
		e, ok := errors.AsType[edgedb.Error](err)
		if !ok {
			return err
		}
		cause := e.Unwrap()
		if cause == nil {
			return joinedCause(err)
		}
		err = cause
	}
}

// joinedCause looks for a cause in joined errors that are not the first.
func joinedCause(err error) error {
	if op, ok := errors.AsType[*net.OpError](err); ok {
		return op
	}
	for _, cause := range []error{io.EOF, io.ErrUnexpectedEOF, net.ErrClosed} {
		if errors.Is(err, cause) {
			return cause
		}
	}
	return nil
}
