package edgedb

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/dsn"
	"github.com/duetdb/duet/retry"
)

// dialer makes connections to one of the hosts of a resolved connection string.
type dialer struct {
	cfg    Config
	target dsn.EdgeDBConfig
	open   opener
	last   atomic.Pointer[error] // of the last attempt, nil after a good one
}

// resolve reads the connection string and everything that fills its gaps.
func resolve(connString string, cfg Config) (dsn.EdgeDBConfig, error) {
	cfg.Target.SeveralHosts = true
	resolved, err := dsn.ParseEdgeDB(connString, cfg.Target, cfg.Environment)
	if err != nil {
		return dsn.EdgeDBConfig{}, err
	}
	target := resolved.Config()
	if len(target.ServerSettings) > 0 {
		names := make([]string, 0, len(target.ServerSettings))
		for name := range target.ServerSettings {
			names = append(names, name)
		}
		slices.Sort(names)
		return target, fmt.Errorf("unknown parameters, which would be settings for the server, and edgedb-go sends none: %s", strings.Join(names, ", "))
	}
	if cfg.WaitUntilAvailable != 0 {
		target.WaitUntilAvailable = max(cfg.WaitUntilAvailable, 0)
	}
	return target, nil
}

// endpoint is one host with what is needed to log in there now.
func (d *dialer) endpoint(ctx context.Context, h dsn.Host) (endpoint, error) {
	t := &d.target
	e := endpoint{
		host: h.Name, port: int(h.Port), user: t.User, password: t.Password.Reveal(), secretKey: t.SecretKey.Reveal(),
		branch: t.Branch, security: string(t.TLSSecurity), serverName: t.TLSServerName, ca: t.TLSCA, timeout: d.cfg.ConnectTimeout,
	}
	if e.branch == serverDefaultBranch {
		e.branch = ""
	}
	var err error
	if d.cfg.Password != nil {
		if e.password, err = d.cfg.Password(ctx); err != nil {
			return e, &duet.Error{Kind: duet.KindConfig, Message: "Config.Password failed", Err: err}
		}
	}
	if d.cfg.SecretKey != nil {
		if e.secretKey, err = d.cfg.SecretKey(ctx); err != nil {
			return e, &duet.Error{Kind: duet.KindConfig, Message: "Config.SecretKey failed", Err: err}
		}
	}
	return e, nil
}

// serverDefaultBranch is the name that lets the server choose; edgedb-go sends it
// where no branch is named.
const serverDefaultBranch = "__default__"

// Waits between rounds of the hosts: edgedb-go's own.
const (
	shortestWait = 10 * time.Millisecond
	waitSpread   = 200 * time.Millisecond
)

// connect tries the hosts in their order, again and again while none can be
// reached and wait_until_available lasts.
func (d *dialer) connect(ctx context.Context, k kind) (session, error) {
	until := time.Now().Add(d.target.WaitUntilAvailable)
	for {
		s, err := d.round(ctx, k)
		d.note(err)
		if err == nil {
			return s, nil
		}
		if ctx.Err() != nil || classify(err) != retry.Unavailable || !time.Now().Before(until) {
			return nil, err
		}
		timer := time.NewTimer(min(shortestWait+rand.N(waitSpread), time.Until(until)))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, err
		}
	}
}

func (d *dialer) note(err error) {
	if err == nil {
		d.last.Store(nil)
		return
	}
	d.last.Store(&err)
}

// lastError is what the last attempt to connect failed with, nil if it did not.
func (d *dialer) lastError() error {
	if err := d.last.Load(); err != nil {
		return *err
	}
	return nil
}

// round tries each host once.
func (d *dialer) round(ctx context.Context, k kind) (session, error) {
	var errs []error
	for _, h := range d.target.Hosts {
		s, err := d.connectTo(ctx, h, k)
		if err == nil {
			return s, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil || isFinal(err) {
			break
		}
	}
	return nil, combined(errs)
}

// isFinal says that another host would not do better.
func isFinal(err error) bool {
	return errors.Is(err, duet.ErrAuthentication) || duet.KindOf(err) == duet.KindConfig
}

// combined makes one error of those of several hosts: the last one's, with the
// earlier ones beside it.
func combined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	last, ok := errors.AsType[*duet.Error](errors.Join(errs[max(0, len(errs)-1):]...))
	if !ok {
		return simpleError(duet.KindConfig, duet.PhaseConnect, "", "there is no host to connect to")
	}
	e := *last
	e.Message, e.Detail, e.Hint, e.Code, e.Name = fmt.Sprintf("no host of %d would do", len(errs)), "", "", "", ""
	e.Host = ""
	e.Err = errors.Join(errs...)
	return &e
}

// connectTo makes one attempt to connect to one host.
func (d *dialer) connectTo(ctx context.Context, h dsn.Host, k kind) (session, error) {
	start := time.Now()
	s, err := d.attempt(ctx, h, k)
	if err != nil {
		err = connectError(err, h.String())
	}
	if hook := d.cfg.Hooks.Connect; hook != nil {
		hook(ctx, duet.ConnectInfo{Host: h.String(), Took: time.Since(start), Err: err})
	}
	return s, err
}

func (d *dialer) attempt(ctx context.Context, h dsn.Host, k kind) (session, error) {
	to, err := d.endpoint(ctx, h)
	if err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeoutCause(ctx, d.cfg.ConnectTimeout, &timeoutError{d.cfg.ConnectTimeout})
	defer stop()
	s, err := d.open(ctx, to, k)
	if err != nil && ctx.Err() != nil && context.Cause(ctx) != ctx.Err() {
		err = context.Cause(ctx) // whichever clock edgedb-go's error came from
	}
	return s, err
}

// timeoutError is the end of ConnectTimeout. It is a net.Error.
type timeoutError struct{ after time.Duration }

func (e *timeoutError) Error() string   { return fmt.Sprintf("no connection after %v", e.after) }
func (e *timeoutError) Timeout() bool   { return true }
func (e *timeoutError) Temporary() bool { return true }
