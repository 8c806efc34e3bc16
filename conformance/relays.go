package conformance

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
)

// Relays make an EdgeDB target's Kill: a client with a label connects to a
// [Relay] of its own. The zero value is ready; it is safe for concurrent use and
// must be closed.
type Relays struct {
	mu  sync.Mutex
	all map[string]*Relay // by label
}

// defaultPort is EdgeDB's.
const defaultPort = "5656"

// DSN gives the URI to connect to for a label: that of a relay to the one server
// that the edgedb:// or gel:// URI names, or the URI itself where the label is
// empty. A server's certificate is not good for the relay's address: unless the
// URI says otherwise, the host's name is not verified over a relay.
func (rs *Relays) DSN(uri, label string) (string, error) {
	if label == "" {
		return uri, nil
	}
	u, err := url.Parse(uri)
	if err != nil || u.Hostname() == "" || strings.Contains(u.Host, ",") {
		return "", errors.New("conformance: a relay needs a URI with one host") // and its text stays out: it has a password
	}
	port := u.Port()
	if port == "" {
		port = defaultPort
	}
	rs.mu.Lock()
	defer rs.mu.Unlock()
	r := rs.all[label]
	if r == nil {
		if r, err = NewRelay(net.JoinHostPort(u.Hostname(), port)); err != nil {
			return "", fmt.Errorf("conformance: starting a relay: %w", err)
		}
		if rs.all == nil {
			rs.all = map[string]*Relay{}
		}
		rs.all[label] = r
	}
	if q := u.Query(); u.Hostname() != "127.0.0.1" && !q.Has("tls_security") {
		q.Set("tls_security", "no_host_verification")
		u.RawQuery = q.Encode()
	}
	u.Host = r.Addr()
	return u.String(), nil
}

// Kill is for [Target].Kill.
func (rs *Relays) Kill(_ context.Context, label string) error {
	rs.mu.Lock()
	r := rs.all[label]
	rs.mu.Unlock()
	if r == nil {
		return fmt.Errorf("conformance: no client was made with the label %q", label)
	}
	r.Cut()
	return nil
}

// Close ends all relays.
func (rs *Relays) Close() error {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var errs []error
	for _, r := range rs.all {
		errs = append(errs, r.Close())
	}
	rs.all = nil
	return errors.Join(errs...)
}
