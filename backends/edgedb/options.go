package edgedb

import "github.com/duetdb/duet"

// unsupportedOptions reports options that EdgeDB, or edgedb-go, cannot honour.
func unsupportedOptions(o *duet.Options) error {
	refuse := func(message string) error { return simpleError(duet.KindUnsupported, duet.PhasePrepare, "", message) }
	switch o.Isolation {
	case duet.IsolationUnset, duet.IsolationDefault, duet.Serializable:
	default:
		return refuse("EdgeDB's transactions are serializable: " + o.Isolation.String() + " is not to be had")
	}
	if o.TransactionID == duet.On {
		return refuse("EdgeDB does not tell what became of a transaction's id: ExactlyOnce does what TransactionID does elsewhere")
	}
	if o.ExactlyOnce == duet.On && aliased(o, "") && aliased(o, "default") {
		return refuse("ExactlyOnce cannot name the type CommitToken where both \"\" and \"default\" are module aliases")
	}
	return nil
}

func aliased(o *duet.Options, module string) bool {
	_, ok := o.ModuleAliases[module]
	return ok
}

// kindFor is the kind of connection that transactions with these options need.
func kindFor(o *duet.Options) kind {
	return kind{readOnly: o.Access == duet.ReadOnly, deferrable: o.Deferrable == duet.On}
}

// view is what a view's options amount to; it is made once and never changed.
type view struct {
	opt   duet.Options
	kind  kind
	state *state
	bad   error // why calls through the view must fail
}

func newView(o duet.Options) *view {
	v := &view{opt: o, kind: kindFor(&o)}
	if v.bad = unsupportedOptions(&v.opt); v.bad != nil {
		return v
	}
	var err error
	if v.state, err = newState(&v.opt); err != nil {
		v.bad = argumentError("", err)
	}
	return v
}

// with gives the view with other options over its own. Most views change nothing
// that the state is made of.
func (v *view) with(over duet.Options) *view {
	merged := v.opt.Merge(over)
	if v.bad == nil && len(over.Globals) == 0 && len(over.Settings) == 0 && len(over.ModuleAliases) == 0 {
		return &view{opt: merged, kind: kindFor(&merged), state: v.state, bad: unsupportedOptions(&merged)}
	}
	return newView(merged)
}
