package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/duetdb/duet"
	"github.com/duetdb/duet/backends/postgres/wire"
	"github.com/duetdb/duet/dsn"
)

// dialer makes connections to one of the hosts of a resolved DSN.
type dialer struct {
	cfg     Config
	target  *dsn.Config
	servers []*server // the hosts, as they were written
}

func newDialer(cfg Config, target *dsn.Config) *dialer {
	d := &dialer{cfg: cfg, target: target}
	for _, h := range target.Hosts {
		d.servers = append(d.servers, &server{host: h})
	}
	return d
}

// wireConfig is how to connect to one host.
func (d *dialer) wireConfig(h dsn.Host) (*wire.Config, error) {
	t := d.target
	w := &wire.Config{
		Network: h.Network, Address: h.Address, DialFunc: d.cfg.DialFunc,
		User: t.User, Database: t.Database, Params: t.RuntimeParams,
		MinProtocol: uint32(t.MinProtocol), MaxProtocol: uint32(t.MaxProtocol),
		RequireAuth: requireAuth(t.RequireAuth), CancelTimeout: d.cfg.CancelTimeout,
		TLSDirect: t.TLS.Negotiation == dsn.NegotiateDirect && h.Network != "unix",
		OnNotice:  d.notice(), Password: d.cfg.Password,
	}
	switch t.ChannelBinding {
	case dsn.BindingDisable:
		w.ChannelBinding = wire.ChannelBindingDisable
	case dsn.BindingRequire:
		w.ChannelBinding = wire.ChannelBindingRequire
	}
	switch t.TLS.Mode {
	case dsn.SSLDisable:
		w.TLS = wire.TLSDisable
	case dsn.SSLAllow:
		w.TLS = wire.TLSAllow
	case dsn.SSLPrefer:
		w.TLS = wire.TLSPrefer
	default:
		w.TLS = wire.TLSRequire
	}
	var err error
	if w.TLSConfig = d.cfg.TLSConfig; w.TLSConfig == nil {
		if w.TLSConfig, err = t.TLSConfig(h); err != nil {
			return nil, err
		}
	}
	if secret := t.PasswordFor(h); w.Password == nil && !secret.IsZero() {
		w.Password = func(context.Context) (string, error) { return secret.Reveal(), nil }
	}
	if w.DialFunc == nil {
		w.DialFunc, w.DialsDirectly = d.dial, true
	}
	return w, nil
}

// dial makes the byte stream with the DSN's keepalives, and resolves with
// LookupFunc where there is one. Each of a name's addresses has a share of the
// time.
func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	tcp := d.target.TCP
	nd := net.Dialer{KeepAliveConfig: net.KeepAliveConfig{
		Enable: tcp.Keepalives, Idle: tcp.KeepaliveIdle, Interval: tcp.KeepaliveInterval, Count: tcp.KeepaliveCount,
	}}
	host, port, err := net.SplitHostPort(address)
	if _, number := netip.ParseAddr(host); network != "tcp" || err != nil || number == nil {
		return nd.DialContext(ctx, network, address)
	}
	lookup := d.cfg.LookupFunc
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	addresses, err := lookup(ctx, host)
	switch {
	case err != nil:
		return nil, err
	case d.cfg.LookupFunc == nil && bothFamilies(addresses):
		// With both, net.Dialer tries them at once. With several of one, it gives the
		// first no less than 2 seconds, which may be all there is.
		return nd.DialContext(ctx, network, address)
	}
	errs := []error{fmt.Errorf("no address for host %q", host)}
	for i, a := range addresses {
		if i == 0 {
			errs = nil
		}
		nc, err := dialWithin(ctx, &nd, network, net.JoinHostPort(a, port), len(addresses)-i)
		if err == nil {
			return nc, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// bothFamilies says whether there are addresses of IPv4 and of IPv6.
func bothFamilies(addresses []string) bool {
	four, six := false, false
	for _, a := range addresses {
		ip, err := netip.ParseAddr(a)
		isFour := err == nil && ip.Unmap().Is4()
		four, six = four || isFour, six || !isFour
	}
	return four && six
}

// dialWithin dials one of the addresses that are left, in its share of the time:
// one that does not answer must not take all of it.
func dialWithin(ctx context.Context, nd *net.Dialer, network, address string, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeout(ctx, time.Until(deadline)/time.Duration(left))
		defer stop()
	}
	return nd.DialContext(ctx, network, address)
}

// requireAuth lists the accepted methods as the wire wants them.
func requireAuth(r dsn.RequireAuth) []string {
	var methods []string
	if r.String() == "" {
		return nil
	}
	for _, m := range []string{"password", "md5", "scram-sha-256", "gss", "sspi", "oauth", "none"} {
		if r.Allows(dsn.AuthMethod(m)) {
			methods = append(methods, m)
		}
	}
	return methods
}

func (d *dialer) notice() func(*pgproto3.NoticeResponse) {
	hook := d.cfg.Hooks.Notice
	if hook == nil {
		return nil
	}
	return func(n *pgproto3.NoticeResponse) {
		severity := n.SeverityUnlocalized
		if severity == "" {
			severity = n.Severity
		}
		hook(context.Background(), duet.Notice{Severity: severity, Code: n.Code, Message: n.Message, Detail: n.Detail, Hint: n.Hint})
	}
}

// connect tries the hosts in their order until one will do. gone are those that
// turned out not to be the primary.
func (d *dialer) connect(ctx context.Context) (s *session, gone []*server, err error) {
	want := []dsn.TargetSessionAttrs{d.target.TargetSessionAttrs}
	if want[0] == dsn.TargetPreferStandby {
		want = []dsn.TargetSessionAttrs{dsn.TargetStandby, dsn.TargetAny}
	}
	hosts := d.order()
	failed := make(map[*server]error, len(hosts))
	var errs []error
	for _, attrs := range want {
		for _, h := range hosts {
			if err := failed[h]; err != nil && !errors.Is(err, errUnfit) {
				continue // it would fail again
			}
			s, err := d.connectTo(ctx, h, attrs)
			if err == nil {
				return s, d.disproved(s, failed), nil
			}
			failed[h] = err
			errs = append(errs, err)
			if ctx.Err() != nil || isFinal(err) {
				return nil, nil, combined(errs)
			}
		}
	}
	return nil, nil, combined(errs)
}

// errUnfit is in the error of a server that works and is not what
// target_session_attrs wants.
var errUnfit = errors.New("another one is wanted")

// isFinal says that another host would not do better: libpq goes on after every
// failure but one of authentication.
func isFinal(err error) bool {
	return errors.Is(err, duet.ErrAuthentication) || duet.KindOf(err) == duet.KindConfig
}

// combined makes one error of those of several hosts: the last one's, with the
// earlier ones beside it.
func combined(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	last, _ := errors.AsType[*duet.Error](errs[len(errs)-1])
	if last == nil {
		return errors.Join(errs...)
	}
	e := *last
	e.Message, e.Detail, e.Hint, e.Code, e.Name = fmt.Sprintf("no host of %d would do", len(errs)), "", "", "", ""
	e.Host = ""
	e.Err = errors.Join(errs...)
	return &e
}

// connectTo connects to one host, and looks whether it is what is wanted.
func (d *dialer) connectTo(ctx context.Context, h *server, attrs dsn.TargetSessionAttrs) (*session, error) {
	start := time.Now()
	epoch := h.epoch.Load()
	bounded, stop := context.WithTimeout(ctx, d.timeout())
	defer stop()
	s, err := d.open(bounded, h.host, attrs)
	switch {
	case err == nil:
		s.place = place{server: h, epoch: epoch, attrs: attrs}
		h.silent.Store(0)
	case bounded.Err() != nil && ctx.Err() == nil && contextEnded(err):
		h.silent.Store(time.Now().Add(silentFor).UnixNano())
		err = d.tooLate(err)
	}
	if hook := d.cfg.Hooks.Connect; hook != nil {
		hook(ctx, duet.ConnectInfo{Host: h.host.String(), Took: time.Since(start), Err: err})
	}
	return s, err
}

func (d *dialer) open(ctx context.Context, h dsn.Host, attrs dsn.TargetSessionAttrs) (*session, error) {
	w, err := d.wireConfig(h)
	if err != nil {
		return nil, &duet.Error{Kind: duet.KindConfig, Backend: backendName, Phase: duet.PhaseConnect, Host: h.String(), Err: err}
	}
	wc, err := wire.Connect(ctx, w)
	if err != nil {
		return nil, connectError(err, h.String())
	}
	s := newSession(wc)
	reason, err := s.unfit(ctx, attrs)
	if err == nil && reason == "" {
		return s, nil
	}
	_ = wc.Close(ctx)
	if err == nil {
		e := simpleError(duet.KindUnavailable, duet.PhaseConnect, "", fmt.Sprintf("the server %s, and target_session_attrs is %s", reason, attrs))
		e.Host, e.Err = h.String(), errUnfit
		err = e
	}
	return nil, err
}

// unfit says why a server is not what target_session_attrs wants, "" if it is.
func (s *session) unfit(ctx context.Context, attrs dsn.TargetSessionAttrs) (string, error) {
	if attrs == dsn.TargetAny || attrs == "" {
		return "", nil
	}
	standby, err := s.reports(ctx, "in_hot_standby", "SELECT pg_is_in_recovery()")
	if err != nil {
		return "", err
	}
	readOnly := standby
	if !standby && (attrs == dsn.TargetReadWrite || attrs == dsn.TargetReadOnly) {
		if readOnly, err = s.reports(ctx, "default_transaction_read_only", "SHOW transaction_read_only"); err != nil {
			return "", err
		}
	}
	switch {
	case attrs == dsn.TargetReadWrite && readOnly:
		return "is read-only", nil
	case attrs == dsn.TargetReadOnly && !readOnly:
		return "is not read-only", nil
	case attrs == dsn.TargetPrimary && standby:
		return "is a standby", nil
	case attrs == dsn.TargetStandby && !standby:
		return "is not a standby", nil
	}
	return "", nil
}

// reports reads a yes or no that servers from 14 on report by themselves, and
// others when asked.
func (s *session) reports(ctx context.Context, parameter, query string) (bool, error) {
	value := s.wc.Parameter(parameter)
	if value == "" {
		var err error
		if value, err = s.ask(ctx, query); err != nil {
			return false, err
		}
	}
	return value == "on" || value == "t", nil
}

// serverVersion is the server's own word for its version.
func serverVersion(wc *wire.Conn) string {
	v := wc.Parameter("server_version")
	for i, r := range v {
		if r == ' ' {
			return v[:i]
		}
	}
	return v
}
